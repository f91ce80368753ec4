/*
 * test_dotenv.c: how .env is read. Expected values are those of the tests of dotenvy 0.15.7, which Spin uses
 * (src/parse.rs, tests/test-multiline.rs, tests/test-multiline-comment.rs).
 */
#include "app/dotenv.h"
#include "manifest_support.h"

typedef struct right {
    const char *text;
    const char *variables[14][2];
} right_t;

static char *environment[] = {"OTHER=x", "KEY11=test_user_env", "KEY11X=no", NULL};

static void entries_have_the_values_that_dotenvy_gives_them(void **state)
{
    (void)state;
#define PRIVATE_KEY "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\\n\\\"QUOTED\\\""
    static const right_t CASES[] = {
        {"", {{NULL}}},
        /* test_parse_line_env */
        {"\nKEY=1\nKEY2=\"2\"\nKEY3='3'\nKEY4='fo ur'\nKEY5=\"fi ve\"\nKEY6=s\\ ix\nKEY7=\nKEY8=     \nKEY9=   # foo\n"
         "KEY10  =\"whitespace before =\"\nKEY11=    \"whitespace after =\"\nexport=\"export as key\"\n"
         "export   SHELL_LOVER=1\n",
            {{"KEY", "1"}, {"KEY2", "2"}, {"KEY3", "3"}, {"KEY4", "fo ur"}, {"KEY5", "fi ve"}, {"KEY6", "s ix"},
                {"KEY7", ""}, {"KEY8", ""}, {"KEY9", ""}, {"KEY10", "whitespace before ="},
                {"KEY11", "whitespace after ="}, {"export", "export as key"}, {"SHELL_LOVER", "1"}}},
        /* test_parse_line_comment */
        {"\n# foo=bar\n#    ", {{NULL}}},
        /* test_parse_value_escapes */
        {"KEY=my\\ cool\\ value\nKEY2=\\$sweet\nKEY3=\"awesome stuff \\\"mang\\\"\"\nKEY4='sweet $\\fgs'\\''fds'\n"
         "KEY5=\"'\\\"yay\\\\\"\\ \"stuff\"\nKEY6=\"lol\" #well you see when I say lol wh\nKEY7=\"line 1\\nline 2\"\n",
            {{"KEY", "my cool value"}, {"KEY2", "$sweet"}, {"KEY3", "awesome stuff \"mang\""},
                {"KEY4", "sweet $\\fgs'fds"}, {"KEY5", "'\"yay\\ stuff"}, {"KEY6", "lol"}, {"KEY7", "line 1\nline 2"}}},
        /* variable_substitution_tests */
        {"  KEY=test\n  KEY1=\"${KEY}\"\n", {{"KEY", "test"}, {"KEY1", "test"}}},
        {"KEY=\">$KEY1<>${KEY2}<\"", {{"KEY", "><><"}}},
        {"KEY=>\\$KEY1<>\\${KEY2}<", {{"KEY", ">$KEY1<>${KEY2}<"}}},
        {"KEY=\">\\$KEY1<>\\${KEY2}<\"", {{"KEY", ">$KEY1<>${KEY2}<"}}},
        {"KEY='>${KEY1}<>$KEY2<'", {{"KEY", ">${KEY1}<>$KEY2<"}}},
        {"KEY=VALUE\nKEY1=$KEY$KEY\n", {{"KEY", "VALUE"}, {"KEY1", "VALUEVALUE"}}},
        {"KEY.Value=VALUE\n", {{"KEY.Value", "VALUE"}}},
        {"KEY=${KEY1}+KEY_VALUE\nKEY1=${KEY}+KEY1_VALUE\n", {{"KEY", "+KEY_VALUE"}, {"KEY1", "+KEY_VALUE+KEY1_VALUE"}}},
        {"KEY1=test_user\nKEY1_1=test_user_with_separator\nKEY=\">$KEY1_1<>$KEY1}<>$KEY1{<\"\n",
            {{"KEY1", "test_user"}, {"KEY1_1", "test_user_with_separator"},
                {"KEY", ">test_user_1<>test_user}<>test_user{<"}}},
        {"KEY=\">${KEY11}<\"", {{"KEY", ">test_user_env<"}}},
        {"KEY11=test_user\nKEY=\">${KEY11}<\"\n", {{"KEY11", "test_user"}, {"KEY", ">test_user_env<"}}},
        {"KEY1=test_user\nKEY2=$KEY1_2\nKEY=>${KEY1}<>${KEY2}<\n",
            {{"KEY1", "test_user"}, {"KEY2", "test_user_2"}, {"KEY", ">test_user<>test_user_2<"}}},
        {"KEY2=$KEY1_2\nKEY=>${KEY1}<>${KEY2}<\n", {{"KEY2", "_2"}, {"KEY", "><>_2<"}}},
        /* test_multiline */
        {"KEY3=\"awesome \\\"stuff\\\"\nmore\non other\nlines\"\nKEY4='hello '\\''world'\"\ngood ' "
         "\\'morning\"\nWEAK=\"" PRIVATE_KEY "\"\nSTRONG='" PRIVATE_KEY "'\n",
            {{"KEY3", "awesome \"stuff\"\nmore\non other\nlines"}, {"KEY4", "hello 'world\ngood ' 'morning"},
                {"WEAK", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n\"QUOTED\""},
                {"STRONG", PRIVATE_KEY}}},
        /* test_issue_12 */
        {"\n# Start of .env file\n# Comment line with single ' quote\n# Comment line with double \" quote\n"
         " # Comment line with double \" quote and starts with a space\nTESTKEY1=test_val # 1 '\" comment\n"
         "TESTKEY2=test_val_with_#_hash # 2 '\" comment\nTESTKEY3=\"test_val quoted with # hash\" # 3 '\" comment\n"
         "TESTKEY4=\"Line 1\n# Line 2\nLine 3\" # 4 Multiline \"' comment\nTESTKEY5=\"Line 4\n# Line 5\nLine 6\n\" # 5 "
         "Multiline \"' comment\n# End of .env file\n",
            {{"TESTKEY1", "test_val"}, {"TESTKEY2", "test_val_with_#_hash"},
                {"TESTKEY3", "test_val quoted with # hash"}, {"TESTKEY4", "Line 1\n# Line 2\nLine 3"},
                {"TESTKEY5", "Line 4\n# Line 5\nLine 6\n"}}},
        /* Lines of other systems */
        {"A=1\r\nB=\"2\"\r\n", {{"A", "1"}, {"B", "2"}}},
        {"\xEF\xBB\xBF"
         "A=1\n",
            {{"A", "1"}}},
        /* A name that stands at the end of a quoted value: dotenvy takes the quote for a part of the value, and then
         * misses it */
        {"A=1\nB=\"$A\"\n", {{"A", "1"}, {"B", "1"}}},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        weir_variable_list_t list;
        char *message = NULL;
        size_t count = 0;
        if (!weir_dotenv_parse("/app/.env", CASES[i].text, environment, &list, &message))
            fail_msg("%s\nof:\n%s", message, CASES[i].text);
        for (; count < COUNT(CASES[i].variables) && CASES[i].variables[count][0] != NULL; count++) {
            assert_true(count < list.count);
            assert_string_equal(list.variables[count].name, CASES[i].variables[count][0]);
            assert_string_equal(list.variables[count].value, CASES[i].variables[count][1]);
        }
        assert_int_equal(list.count, count);
        weir_variable_list_free(&list);
    }
}

static void what_is_no_entry_is_refused_by_its_line_and_not_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
    } CASES[] = {
        /* test_parse_line_invalid */
        {"\n  secret    ", 2},
        {"very secret = yes indeed", 1},
        {"=secret", 1},
        /* test_parse_value_escapes_invalid */
        {"A=1\nB=my secret value\n", 2},
        {"KEY2=\"secret", 1},
        {"A='b\nc'\nKEY3='secret''\nD=1", 3},
        {"KEY4=secret\\8u", 1},
        /* error_tests */
        {"KEY=VALUE\nKEY1=>${secret{<\n", 2},
        {".secret=VALUE", 1},
        {"<><>secret<>", 1},
        {"VALUE=>\\fsecret<", 1},
        {"export", 1},
        {"export secret", 1},
        {"a-b=secret", 1},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        weir_variable_list_t list, untouched;
        memset(&list, 0xA5, sizeof list);
        untouched = list;
        char *message = NULL, wanted[128];
        if (weir_dotenv_parse("/app/.env", CASES[i].text, environment, &list, &message))
            fail_msg("this was let pass: %s", CASES[i].text);
        assert_memory_equal(&list, &untouched, sizeof list);
        snprintf(
            wanted, sizeof wanted, "/app/.env:%d:1: is not NAME=VALUE, NAME=\"VALUE\" or a # comment", CASES[i].line);
        assert_string_equal(message, wanted);
        free(message);
    }
}

static void what_grows_without_end_is_refused(void **state)
{
    (void)state;
    /* Each line doubles what the one before had. */
    char text[2048] = "A=0123456789abcdef\n";
    for (int i = 0; i < 30; i++) {
        char line[64];
        snprintf(line, sizeof line, "A=$A$A\n");
        strcat(text, line);
    }
    weir_variable_list_t list;
    char *message = NULL;
    assert_false(weir_dotenv_parse("/app/.env", text, environment, &list, &message));
    assert_non_null(strstr(message, "is too much: a file .env can have 4096 variables with 16 MiB in all"));
    free(message);

    char *many = malloc(8 * (WEIR_VARIABLE_LIST_MAX + 1) + 1);
    assert_non_null(many);
    many[0] = '\0';
    for (size_t i = 0; i <= WEIR_VARIABLE_LIST_MAX; i++)
        memcpy(many + 4 * i, "A=1\n", 5);
    assert_false(weir_dotenv_parse("/app/.env", many, environment, &list, &message));
    assert_non_null(strstr(message, "/app/.env:4097:1: is too much"));
    free(message);
    many[(size_t)4 * WEIR_VARIABLE_LIST_MAX] = '\0';
    assert_true(weir_dotenv_parse("/app/.env", many, environment, &list, &message));
    assert_int_equal(list.count, WEIR_VARIABLE_LIST_MAX);
    weir_variable_list_free(&list);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_have_the_values_that_dotenvy_gives_them),
        cmocka_unit_test(what_is_no_entry_is_refused_by_its_line_and_not_shown),
        cmocka_unit_test(what_grows_without_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
