/*
 * test_manifest_errors.c: what is said, with its place, about a manifest that is wrong.
 */
#include "manifest_support.h"

static void check_wrong(const wrong_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *message = parse_error(cases[i].text, strlen(cases[i].text));
        if (strcmp(message, cases[i].message) != 0)
            fail_msg("said:   %s\nwanted: %s\nof:\n%s", message, cases[i].message, cases[i].text);
        free(message);
    }
}

static void a_version_other_than_two_is_refused(void **state)
{
    (void)state;
#define VERSION_ONE "this is a manifest of version 1, and weir reads version 2; run \"spin doctor\", or change it: "
    static const wrong_t CASES[] = {
        {"", "spin.toml: \"spin_manifest_version\" is missing; add spin_manifest_version = 2 at the top"},
        {"[application]\nname = \"x\"\n",
            "spin.toml: \"spin_manifest_version\" is missing; add spin_manifest_version = 2 at the top"},
        {"spin_manifest_version = \"1\"\nname = \"old\"\n",
            "spin.toml:1:1: " VERSION_ONE "line 1: write spin_manifest_version = 2; line 2: name "
            "goes into [application]"},
        {"spin_manifest_version = 1\n", "spin.toml:1:1: " VERSION_ONE "line 1: write spin_manifest_version = 2"},
        /* crates/manifest/src/compat.rs: component_id_from_string, config, the trigger of each component */
        {"name = \"old\"\nversion = \"1\"\nspin_version = \"1\"\n"
         "trigger = { type = \"http\", base = \"/shop\" }\n"
         "[[component]]\nid = \"front\"\nsource = \"a.wasm\"\n[component.trigger]\nroute = \"/\"\n"
         "[[component]]\nid = \"Back_End\"\n[component.config]\na = \"1\"\n",
            "spin.toml:3:1: " VERSION_ONE
            "line 3: write spin_manifest_version = 2; line 1: name goes into [application]; line 2: version goes into "
            "[application]; line 4: remove [trigger] and its type; line 4: write the base \"/shop\" before each route; "
            "line 5: [[component]] becomes [component.front] without its id; line 8: its trigger becomes "
            "[[trigger.http]] with component = \"front\"; line 10: [[component]] becomes [component.back-end] without "
            "its "
            "id; line 12: its config becomes [component.back-end.variables]"},
        {"spin_version = \"1\"\n[[component]]\nid = \"a\"\nfiles = []\nenvironment = { A = \"1\" }\n"
         "config = { b = \"2\" }\n  [component.build]\n  command = \"make\"\n"
         "[[component]]\nid = \"b\"\nbuild.command = \"make\"\n[component.environment]\nA = \"1\"\n",
            "spin.toml:1:1: " VERSION_ONE "line 1: write spin_manifest_version = 2; line 2: [[component]] becomes "
            "[component.a] without its id; line 6: its config becomes [component.a.variables]; line 7: "
            "[component.build] becomes [component.a.build]; line 9: [[component]] becomes [component.b] without its "
            "id; line 12: [component.environment] becomes [component.b.environment]"},
        /* of version 2 in all but its number */
        {"spin_manifest_version = 1\n[application]\nname = \"x\"\n[[trigger.http]]\nroute = \"/\"\n"
         "component = \"a\"\n[component.a]\nsource = \"a.wasm\"\n[component.a.build]\ncommand = \"make\"\n",
            "spin.toml:1:1: " VERSION_ONE "line 1: write spin_manifest_version = 2"},
        {"spin_version = "
         "\"1\"\n[[component]]\n[[component]]\n[[component]]\n[[component]]\n[[component]]\n[[component]]\n",
            "spin.toml:1:1: " VERSION_ONE "line 1: write spin_manifest_version = 2; line 2: [[component]] becomes "
            "[component.ID] without its id; line 3: [[component]] becomes [component.ID] without its id; line 4: "
            "[[component]] becomes [component.ID] without its id; line 5: [[component]] becomes [component.ID] without "
            "its "
            "id; and the other 2 components in the same way"},
        {"spin_manifest_version = 3\n", "spin.toml:1:25: \"spin_manifest_version\" is 3, and weir reads version 2"},
        {"spin_manifest_version = -2\n", "spin.toml:1:25: \"spin_manifest_version\" is -2, and weir reads version 2"},
        {"spin_manifest_version = \"2\"\n",
            "spin.toml:1:25: \"spin_manifest_version\" must be the integer 2, not the string \"2\"; write "
            "spin_manifest_version = 2"},
        {"spin_manifest_version = 2.0\n",
            "spin.toml:1:25: \"spin_manifest_version\" must be the integer 2, not a number with a fraction; write "
            "spin_manifest_version = 2"},
    };
    check_wrong(CASES, COUNT(CASES));
}

#define TEN "abcdefghij"

static void an_unknown_key_is_refused_and_the_near_one_named(void **state)
{
    (void)state;
    static const wrong_t CASES[] = {
        {HEAD TRIGGER "[component.hello]\nsourc = \"hello.wasm\"\n",
            "spin.toml:8:1: unknown key \"sourc\" in [component.hello]; did you mean \"source\"?"},
        {HEAD TRIGGER "[component.hello]\n  SOURCE = \"hello.wasm\"\n",
            "spin.toml:8:3: unknown key \"SOURCE\" in [component.hello]; did you mean \"source\"?"},
        {HEAD TRIGGER COMPONENT "allowed-outbound-hosts = []\n",
            "spin.toml:9:1: unknown key \"allowed-outbound-hosts\" in [component.hello]; did you mean "
            "\"allowed_outbound_hosts\"?"},
        {HEAD TRIGGER COMPONENT "sqlite = []\n",
            "spin.toml:9:1: unknown key \"sqlite\" in [component.hello]; did you mean \"sqlite_databases\"?"},
        {HEAD TRIGGER COMPONENT "enviroment = {}\n",
            "spin.toml:9:1: unknown key \"enviroment\" in [component.hello]; did you mean \"environment\"?"},
        {HEAD TRIGGER COMPONENT "flies = []\n",
            "spin.toml:9:1: unknown key \"flies\" in [component.hello]; did you mean \"files\"?"},
        {HEAD TRIGGER COMPONENT "a = 1\n\"a~/b\" = 1\n",
            "spin.toml:9:1: unknown key \"a\" in [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT "\"a~/b\" = 1\n",
            "spin.toml:9:1: unknown key \"a~/b\" in [component.hello]; remove it"},
        {HEAD TRIGGER "di = \"x\"\n" COMPONENT,
            "spin.toml:7:1: unknown key \"di\" in [[trigger.http]]; did you mean \"id\"?"},
        {HEAD TRIGGER COMPONENT "colour = \"red\"\n",
            "spin.toml:9:1: unknown key \"colour\" in [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT "route = \"/\"\n",
            "spin.toml:9:1: unknown key \"route\" in [component.hello]; it belongs in [[trigger.http]]"},
        {HEAD TRIGGER COMPONENT "\"\" = 1\n", "spin.toml:9:1: unknown key \"\" in [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT "\"a\\nb\\u001b\\\"\\\\\" = 1\n",
            "spin.toml:9:1: unknown key \"a\\nb\\x1b\\\"\\\\\" in [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT "\"\xe2\x80\xae\" = 1\n",
            "spin.toml:9:1: unknown key \"\\u202e\" in [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN " = 1\n",
            "spin.toml:9:1: unknown key \"" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
            "ab\xe2\x80\xa6\" in [component.hello]; remove it"},
        {HEAD "verison = \"1\"\n" TRIGGER COMPONENT,
            "spin.toml:4:1: unknown key \"verison\" in [application]; did you mean \"version\"?"},
        {"spin_manifest_version = 2\nname = \"x\"\n",
            "spin.toml:2:1: unknown key \"name\" in the top-level table; it belongs in [application]"},
        {"spin_manifest_version = 2\n[aplication]\nname = \"x\"\n",
            "spin.toml:2:2: unknown key \"aplication\" in the top-level table; did you mean \"application\"?"},
        {HEAD TRIGGER COMPONENT "[[triger.http]]\nroute = \"/\"\n",
            "spin.toml:9:3: unknown key \"triger\" in the top-level table; did you mean \"trigger\"?"},
        {HEAD "[[trigger.http]]\nroutes = \"/\"\ncomponent = \"hello\"\n" COMPONENT,
            "spin.toml:5:1: unknown key \"routes\" in [[trigger.http]]; did you mean \"route\"?"},
        {HEAD TRIGGER "environment = {}\n" COMPONENT,
            "spin.toml:7:1: unknown key \"environment\" in [[trigger.http]]; it belongs in [component.ID]"},
        {HEAD TRIGGER "executor = { typ = \"wagi\" }\n" COMPONENT,
            "spin.toml:7:12: \"type\" is missing in \"executor\" of [[trigger.http]]; add type = \"http\" or type = "
            "\"wagi\""},
        {HEAD TRIGGER "executor = { type = \"wagi\", args = \"\" }\n" COMPONENT,
            "spin.toml:7:29: unknown key \"args\" in \"executor\" of [[trigger.http]]; did you mean \"argv\"?"},
        {HEAD TRIGGER "executor = { type = \"http\", argv = \"\" }\n" COMPONENT,
            "spin.toml:7:29: \"argv\" in \"executor\" of [[trigger.http]] is for type = \"wagi\" only; remove it or "
            "change "
            "the type"},
        {HEAD "[application.trigger.http]\nbse = \"/\"\n" TRIGGER COMPONENT,
            "spin.toml:5:1: unknown key \"bse\" in [application.trigger.http]; did you mean \"base\"?"},
        {HEAD TRIGGER COMPONENT "[component.hello.build]\ncommand = \"make\"\nworkdirectory = \"x\"\n",
            "spin.toml:11:1: unknown key \"workdirectory\" in \"build\" of [component.hello]; remove it"},
        {HEAD TRIGGER COMPONENT "[component.hello.profile.debug]\nsuorce = \"x\"\n",
            "spin.toml:10:1: unknown key \"suorce\" in \"debug\" of [component.hello]; did you mean \"source\"?"},
        {HEAD TRIGGER "[component.hello]\nsource = { url = \"https://example.com/a.wasm\", diggest = \"\" }\n",
            "spin.toml:8:48: unknown key \"diggest\" in \"source\" of [component.hello]; did you mean \"digest\"?"},
        /* Of several, the first in the text is named. */
        {HEAD TRIGGER COMPONENT "zzz = 1\naaa = 1\n",
            "spin.toml:9:1: unknown key \"zzz\" in [component.hello]; remove it"},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void a_missing_key_is_named_with_what_to_add(void **state)
{
    (void)state;
    static const wrong_t CASES[] = {
        {"spin_manifest_version = 2\n", "spin.toml: [application] is missing; add it with name = \"...\""},
        {"spin_manifest_version = 2\n[application]\n",
            "spin.toml:2:1: \"name\" is missing in [application]; add name = \"...\""},
        {HEAD COMPONENT,
            "spin.toml: there is no trigger, so nothing to serve; add [[trigger.http]] with a route and a component"},
        {HEAD "[trigger]\n", "spin.toml:4:2: there is no trigger, so nothing to serve; add [[trigger.http]] with a "
                             "route and a component"},
        {HEAD "[trigger]\nhttp = []\n", "spin.toml:4:2: there is no trigger, so nothing to serve; add [[trigger.http]] "
                                        "with a route and a component"},
        {HEAD "[[trigger.http]]\ncomponent = \"hello\"\n" COMPONENT,
            "spin.toml:4:1: \"route\" is missing in [[trigger.http]]; add route = \"/...\" or another path"},
        {HEAD "[[trigger.http]]\nroute = \"/\"\n" COMPONENT,
            "spin.toml:4:1: \"component\" is missing in [[trigger.http]]; add component = \"ID\", or static_response = "
            "{ "
            "body = \"...\" }"},
        {HEAD TRIGGER "[component.hello]\ndescription = \"x\"\n",
            "spin.toml:7:1: \"source\" is missing in [component.hello]; add source = \"FILE.wasm\""},
        {HEAD "[[trigger.http]]\nroute = \"/\"\ncomponent = { description = \"x\" }\n",
            "spin.toml:6:13: \"source\" is missing in \"component\" of [[trigger.http]]; add source = \"FILE.wasm\""},
        {HEAD TRIGGER "executor = {}\n" COMPONENT,
            "spin.toml:7:12: \"type\" is missing in \"executor\" of [[trigger.http]]; add type = \"http\" or type = "
            "\"wagi\""},
        {HEAD TRIGGER COMPONENT "[component.hello.build]\nworkdir = \"x\"\n",
            "spin.toml:9:1: \"command\" is missing in \"build\" of [component.hello]; add command = \"...\""},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void a_value_of_the_wrong_type_is_named_with_both_types(void **state)
{
    (void)state;
    static const wrong_t CASES[] = {
        {"spin_manifest_version = 2\n[application]\nname = 7\n",
            "spin.toml:3:8: \"name\" in [application] must be a string, not the integer 7"},
        {"spin_manifest_version = 2\napplication = \"x\"\n",
            "spin.toml:2:15: \"application\" in the top-level table "
            "must be a table, not the string \"x\"; write [application]"},
        {HEAD "authors = \"me\"\n" TRIGGER COMPONENT,
            "spin.toml:4:11: \"authors\" in [application] must be an array of strings, not the string \"me\""},
        {HEAD "authors = [\"me\", 7]\n" TRIGGER COMPONENT, "spin.toml:4:18: \"authors\" in [application] must be an "
                                                           "array of strings, but this element is the integer 7"},
        {HEAD "[[component]]\nid = \"a\"\n" TRIGGER,
            "spin.toml:4:1: \"component\" in the top-level table must be a table of tables, not an array; write "
            "[component.ID]"},
        {HEAD TRIGGER "[component]\nhello = \"hello.wasm\"\n",
            "spin.toml:8:9: \"hello\" of \"component\" in the top-level table must be a table, not a string"},
        {HEAD "[trigger.http]\nroute = \"/\"\n" COMPONENT,
            "spin.toml:4:10: triggers of a type are an array of tables; write [[trigger.http]] with two brackets"},
        {HEAD "[trigger.http]\nroute = \"/\"\n" TRIGGER COMPONENT,
            "spin.toml:4:10: triggers of a type are an array of tables; write [[trigger.http]] with two brackets"},
        {HEAD TRIGGER "  [ trigger . http ] # one more\nroute = \"/\"\n" COMPONENT,
            "spin.toml:7:15: triggers of a type are an array of tables; write [[trigger.http]] with two brackets"},
        {HEAD "[trigger.http]\nroute = \"/a\"\n[trigger.http]\nroute = \"/b\"\n" COMPONENT,
            "spin.toml:4:10: triggers of a type are an array of tables; write [[trigger.http]] with two brackets"},
        {HEAD "[trigger.redis]\n[trigger.http]\n" TRIGGER COMPONENT,
            "spin.toml:5:10: triggers of a type are an array of tables; write [[trigger.http]] with two brackets"},
        {HEAD TRIGGER "[component.http]\n[component.http]\n",
            "spin.toml:8:12: cannot be read as TOML: duplicate key: http; remove one of them"},
        {HEAD "[trigger]\nhttp = [\"/\"]\n" COMPONENT,
            "spin.toml:5:1: triggers of a type are an array of tables; write [[trigger.http]] with two brackets"},
        {"spin_manifest_version = 2\ntrigger = 1\n[application]\nname = \"app\"\n",
            "spin.toml:2:11: \"trigger\" in the top-level table must be a table, not the integer 1; write "
            "[[trigger.http]]"},
        {HEAD "[[trigger.http]]\nroute = 1\n", "spin.toml:5:9: \"route\" in [[trigger.http]] must be a string or a "
                                               "table, not the integer 1; write route = "
                                               "\"/...\""},
        {HEAD "[[trigger.http]]\nroute = \"/\"\ncomponent = [\"a\"]\n",
            "spin.toml:6:13: \"component\" in [[trigger.http]] must be a string or a table, not an array; write "
            "component "
            "= \"ID\""},
        {HEAD TRIGGER "executor = \"wagi\"\n" COMPONENT, "spin.toml:7:12: \"executor\" in [[trigger.http]] must be a "
                                                         "table, not the string \"wagi\"; write executor = { type = "
                                                         "\"http\" } or { type = \"wagi\" }"},
        {HEAD TRIGGER "executor = { type = true }\n" COMPONENT,
            "spin.toml:7:21: \"type\" in \"executor\" of [[trigger.http]] must be a string, not a boolean"},
        {HEAD TRIGGER "executor = { type = \"wagi\", argv = [\"a\"] }\n" COMPONENT,
            "spin.toml:7:36: \"argv\" in \"executor\" of [[trigger.http]] must be a string, not an array"},
        {HEAD TRIGGER "[component.hello]\nsource = [\"hello.wasm\"]\n",
            "spin.toml:8:10: \"source\" in [component.hello] must be a string or a table, not an array; write source = "
            "\"FILE.wasm\""},
        {HEAD TRIGGER COMPONENT "environment = [\"A=1\"]\n",
            "spin.toml:9:15: \"environment\" in [component.hello] must be a table, not an array; write environment = { "
            "NAME = \"value\" }"},
        {HEAD TRIGGER COMPONENT "environment = { A = \"1\", PORT = 8080 }\n",
            "spin.toml:9:33: environment variable \"PORT\" in [component.hello] must be a string, not an integer; put "
            "its "
            "value in quotes"},
        {HEAD TRIGGER COMPONENT "environment = { DEBUG = true }\n",
            "spin.toml:9:25: environment variable \"DEBUG\" in [component.hello] must be a string, not a boolean; put "
            "its "
            "value in quotes"},
        {HEAD TRIGGER COMPONENT "key_value_stores = \"default\"\n",
            "spin.toml:9:20: \"key_value_stores\" in [component.hello] must be an array of strings, not the string "
            "\"default\"; write key_value_stores = [\"default\"]"},
        {HEAD TRIGGER COMPONENT "files = [1]\n", "spin.toml:9:10: \"files\" in [component.hello] must be an array of "
                                                 "strings and tables, but this element is the "
                                                 "integer 1"},
        {HEAD TRIGGER COMPONENT "variables = { a = 1.5 }\n",
            "spin.toml:9:19: \"a\" of \"variables\" in [component.hello] must be a string, not a number with a "
            "fraction"},
        {HEAD TRIGGER COMPONENT "build = { command = 1 }\n",
            "spin.toml:9:21: \"command\" in \"build\" of [component.hello] must be a string or an array of strings, "
            "not the integer 1"},
        {HEAD TRIGGER COMPONENT "dependencies_inherit_configuration = \"yes\"\n",
            "spin.toml:9:38: \"dependencies_inherit_configuration\" in [component.hello] must be true or false, not "
            "the "
            "string \"yes\""},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void what_would_change_the_guest_silently_is_refused(void **state)
{
    (void)state;
#define OF_HELLO(key, rest) "spin.toml:9:1: \"" key "\" in [component.hello] is not supported yet: " rest
    static const wrong_t CASES[] = {
        {HEAD TRIGGER COMPONENT "dependencies = { \"a:b/c\" = \"1.0\" }\n",
            OF_HELLO("dependencies", "its imports would not be satisfied")},
        {HEAD TRIGGER "components = { a = \"hello\" }\n" COMPONENT,
            "spin.toml:7:1: \"components\" in [[trigger.http]] is not supported yet: only \"component\" is"},
        {HEAD TRIGGER "dependencies = { middleware = [] }\n" COMPONENT,
            "spin.toml:7:1: \"dependencies\" in [[trigger.http]] is not supported yet: these components would not be "
            "called"},
        {HEAD "[[trigger.http]]\nroute = { privat = true }\ncomponent = \"hello\"\n" COMPONENT,
            "spin.toml:5:11: unknown key \"privat\" in \"route\" of [[trigger.http]]; did you mean \"private\"?"},
        {HEAD TRIGGER COMPONENT "[[trigger.redis]]\nchannel = \"a\"\ncomponent = \"hello\"\n",
            "spin.toml:9:11: trigger type \"redis\" is not supported yet; \"http\" is the only one"},
        {HEAD "[[trigger.htpp]]\nroute = \"/\"\ncomponent = \"hello\"\n" COMPONENT,
            "spin.toml:4:11: unknown trigger type \"htpp\"; did you mean \"http\"?"},
        {HEAD "[application.trigger.http]\nbase = \"/shop\"\n" TRIGGER COMPONENT,
            "spin.toml:5:1: \"base\" in [application.trigger.http] is deprecated; remove it, and write \"/shop\" "
            "before "
            "each route instead"},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void a_component_that_is_not_there_is_named_with_those_that_are(void **state)
{
    (void)state;
#define MANY_COMPONENTS                                                                                                \
    "[component.a1]\nsource = \"x\"\n[component.a2]\nsource = \"x\"\n[component.a3]\nsource = \"x\"\n"                 \
    "[component.a4]\nsource = \"x\"\n[component.a5]\nsource = \"x\"\n[component.a6]\nsource = \"x\"\n"                 \
    "[component.a7]\nsource = \"x\"\n[component.a8]\nsource = \"x\"\n[component.a9]\nsource = \"x\"\n"
    static const wrong_t CASES[] = {
        {HEAD TRIGGER,
            "spin.toml:6:13: there is no component \"hello\"; there are no components; add [component.hello]"},
        {HEAD TRIGGER "[component.helo]\nsource = \"x\"\n",
            "spin.toml:6:13: there is no component \"hello\"; did you mean \"helo\"?"},
        {HEAD TRIGGER "[component.one]\nsource = \"x\"\n[component.two]\nsource = \"x\"\n",
            "spin.toml:6:13: there is no component \"hello\"; the components are \"one\", \"two\""},
        {HEAD TRIGGER MANY_COMPONENTS,
            "spin.toml:6:13: there is no component \"hello\"; none of the 9 components has this id"},
        {HEAD "[[trigger.http]]\nroute = \"/\"\ncomponent = \"hello_world\"\n" COMPONENT,
            "spin.toml:6:13: component id \"hello_world\" is not kebab-case: words are separated with \"-\", not "
            "\"_\"; did "
            "you mean \"hello-world\"?"},
        {HEAD "[[trigger.http]]\nroute = \"/\"\ncomponent = \"\"\n" COMPONENT,
            "spin.toml:6:13: component id \"\" is not kebab-case: it is empty"},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void a_component_id_that_is_not_kebab_case_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *id; /* as a TOML key */
        const char *message;
    } CASES[] = {
        {"hello_world", "\"hello_world\" is not kebab-case: words are separated with \"-\", not \"_\"; did you mean "
                        "\"hello-world\"?"},
        {"helloWorld", "\"helloWorld\" is not kebab-case: each word is all lower case or all upper case; did you mean "
                       "\"helloworld\"?"},
        {"-a", "\"-a\" is not kebab-case: a word between \"-\" is empty"},
        {"a-", "\"a-\" is not kebab-case: a word between \"-\" is empty"},
        {"a--b", "\"a--b\" is not kebab-case: a word between \"-\" is empty"},
        {"1a", "\"1a\" is not kebab-case: each word begins with a letter from a to z"},
        {"a-1", "\"a-1\" is not kebab-case: each word begins with a letter from a to z"},
        {"\"a b\"", "\"a b\" is not kebab-case: only letters from a to z, digits and \"-\" are allowed; did you mean "
                    "\"a-b\"?"},
        {"\"\"", "\"\" is not kebab-case: it is empty"},
        {"\"\xc3\xa9\"", "\"\xc3\xa9\" is not kebab-case: each word begins with a letter from a to z"},
        {"\"a\\nb\"", "\"a\\nb\" is not kebab-case: only letters from a to z, digits and \"-\" are allowed"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char text[512], message[512];
        int size = snprintf(text, sizeof text, HEAD TRIGGER "[component.%s]\nsource = \"x\"\n", CASES[i].id);
        snprintf(message, sizeof message, "spin.toml:7:12: component id %s", CASES[i].message);
        char *said = parse_error(text, (size_t)size);
        assert_string_equal(said, message);
        free(said);
    }
}

static void other_values_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const wrong_t CASES[] = {
        {HEAD TRIGGER "[component.hello]\nsource = \"\"\n",
            "spin.toml:8:10: \"source\" in [component.hello] is empty; write the path of a wasm file"},
        {HEAD TRIGGER "executor = { type = \"fastcgi\" }\n" COMPONENT,
            "spin.toml:7:21: unknown executor type \"fastcgi\"; the types are \"http\" and \"wagi\""},
        {HEAD TRIGGER "executor = { type = \"wagi\", entrypoint = \"main\" }\n" COMPONENT,
            "spin.toml:7:42: \"entrypoint\" in \"executor\" of [[trigger.http]] is deprecated and cannot be \"main\"; "
            "remove "
            "it: \"_start\" is called"},
        {HEAD TRIGGER COMPONENT "environment = { \"A=B\" = \"1\" }\n",
            "spin.toml:9:17: environment variable \"A=B\" in [component.hello]: a name is not empty and has no \"=\""},
        {HEAD TRIGGER COMPONENT "environment = { \"\" = \"1\" }\n",
            "spin.toml:9:17: environment variable \"\" in [component.hello]: a name is not empty and has no \"=\""},
        {HEAD TRIGGER COMPONENT "key_value_stores = [\"default\", \"no-Such\"]\n",
            "spin.toml:9:32: label \"no-Such\" of \"key_value_stores\" in [component.hello] is neither kebab-case nor "
            "snake_case"},
        {HEAD TRIGGER COMPONENT "sqlite_databases = [\"\"]\n",
            "spin.toml:9:21: label \"\" of \"sqlite_databases\" in [component.hello] is neither kebab-case nor "
            "snake_case"},
        {HEAD TRIGGER "[component.hello]\nsource = \"a\\u0000b.wasm\"\n",
            "spin.toml:8:10: a NUL character (\\u0000) cannot be part of a string; remove it"},
        {HEAD TRIGGER "[component.hello]\n\"sou\\u0000rce\" = \"a.wasm\"\n",
            "spin.toml:8:1: a NUL character (\\u0000) cannot be part of a key; remove it"},
    };
    check_wrong(CASES, COUNT(CASES));
}

static void text_that_is_not_toml_is_refused_with_its_place(void **state)
{
    (void)state;
#define BYTES(text) text, sizeof(text) - 1
    static const struct {
        const char *text;
        size_t size;
        const char *beginning; /* the parser's own words may change */
    } CASES[] = {
        {BYTES(HEAD "version = \"1\n"), "spin.toml:4:13: cannot be read as TOML: "},
        {BYTES(HEAD "version =\n"), "spin.toml:4:10: cannot be read as TOML: "},
        {BYTES(HEAD "[component.hello\n"), "spin.toml:4:17: cannot be read as TOML: "},
        {BYTES(HEAD "name = \"again\"\n"),
            "spin.toml:4:1: cannot be read as TOML: duplicate key: name; remove one of them"},
        {BYTES(HEAD "[application]\nname = \"again\"\n"),
            "spin.toml:4:2: cannot be read as TOML: duplicate key: application; remove one of them"},
        {BYTES(HEAD "  \"na\\\"me\".x = 1\n  \"na\\\"me\" = 1\n"),
            "spin.toml:5:3: cannot be read as TOML: duplicate key: \"na\\\"me\"; remove one of them"},
        {BYTES("\xc3\xa9\xc3\xa9 = = 1\n"), "spin.toml:1:6: cannot be read as TOML: "},
        {BYTES("spin_manifest_version = 99999999999999999999\n"), "spin.toml:1:25: cannot be read as TOML: "},
        {BYTES(HEAD "a = \0 1\n"), "spin.toml:4:5: a NUL byte; a manifest is plain UTF-8 text"},
        {BYTES("\0"), "spin.toml:1:1: a NUL byte; a manifest is plain UTF-8 text"},
        {BYTES(HEAD "# gr\xfc\xdf dich\n"), "spin.toml:4:5: the text is not UTF-8 here; save the manifest as UTF-8"},
        {BYTES(HEAD "# \xc3\xa9\xc3\xa9 \xed\xa0\x80\n"),
            "spin.toml:4:6: the text is not UTF-8 here; save the manifest as UTF-8"},
        {BYTES("\xff\xfes\0p\0i\0n\0"), "spin.toml:1:1: the text is not UTF-8 here; save the manifest as UTF-8"},
        {BYTES("\0asm\x0d\0\x01\0"), "spin.toml:1:1: a NUL byte; a manifest is plain UTF-8 text"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char *message = parse_error(CASES[i].text, CASES[i].size);
        if (strncmp(message, CASES[i].beginning, strlen(CASES[i].beginning)) != 0)
            fail_msg("said:   %s\nwanted: %s", message, CASES[i].beginning);
        free(message);
    }
}

/* The last part of a message of the TOML parser: the line, unless it might hold a secret value. */
static void the_line_that_is_not_toml_is_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *ending; /* NULL: it shows nothing of the text */
    } CASES[] = {
        {HEAD "   version = \"1.2\r\n", ", in: version = \"1.2"},
        {HEAD "version = \"\x1b[31m\n", ", in: version = \"\\x1b[31m"},
        {"\xc3\xa9\xc3\xa9 = = 1\n", ", in: \xc3\xa9\xc3\xa9 = = 1"},
        {"a = \n", ", in: a = "},
        {"a = " TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN,
            "abcdefghij\xe2\x80\xa6"},
        {"[variables]\np = { default = \"hunter2, secret = true }\n", NULL},
        {"[variables.p]\nsecret = true\ndefault = \"\"\"\nhunter2\n", NULL},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char *message = parse_error(CASES[i].text, strlen(CASES[i].text));
        size_t size = strlen(message), ending_size = CASES[i].ending != NULL ? strlen(CASES[i].ending) : 0;
        if (size < ending_size || (ending_size > 0 && strcmp(message + size - ending_size, CASES[i].ending) != 0))
            fail_msg("said:   %s\nwanted: %s", message, CASES[i].ending);
        if (CASES[i].ending == NULL && (strstr(message, "hunter2") != NULL || strstr(message, ", in: ") != NULL))
            fail_msg("said:   %s", message);
        free(message);
    }
}

static void a_path_in_a_message_is_escaped(void **state)
{
    (void)state;
    weir_manifest_t manifest;
    char *message = NULL;
    assert_false(weir_manifest_parse("a\nb/\x1b[2J.toml", "", 0, &manifest, &message));
    assert_string_equal(message,
        "a\\nb/\\x1b[2J.toml: \"spin_manifest_version\" is missing; add spin_manifest_version = 2 "
        "at the top");
    free(message);
}

static void limits_of_weir_are_checked_and_other_tools_left_alone(void **state)
{
    (void)state;
#define LIMITS "spin_manifest_version = 2\n[application]\nname = \"x\"\n[application.tool.weir]\n"
#define OWN_LIMITS                                                                                                     \
    "spin_manifest_version = 2\n[application]\nname = \"x\"\n[component.a]\nsource = \"a.wasm\"\n"                     \
    "[component.a.tool.other]\nanything = true\n[component.a.tool.weir]\n"
    static const wrong_t CASES[] = {
        {LIMITS "request_timeouts = \"1s\"\n",
            "spin.toml:5:1: unknown key \"request_timeouts\" in \"tool.weir\" of [application]; did you mean "
            "\"request_timeout\"?"},
        {LIMITS "request_timeout = \"soon\"\n",
            "spin.toml:5:19: \"request_timeout\" in \"tool.weir\" of [application] is \"soon\"; give a time such as "
            "500ms, 2s or 1m (a number alone is of seconds), at most 24h"},
        {LIMITS "max_waiting = -1\n",
            "spin.toml:5:15: \"max_waiting\" in \"tool.weir\" of [application] is \"-1\"; give a number from 0 to "
            "1000000"},
        {LIMITS "max_request_body = true\n",
            "spin.toml:5:20: \"max_request_body\" in \"tool.weir\" of [application] is a boolean; give a number of "
            "bytes, or one with KiB, MiB or GiB, from 1 to 1048576GiB, or none"},
        {OWN_LIMITS "cpu_time = 0\n",
            "spin.toml:9:12: \"cpu_time\" in \"tool.weir\" of [component.a] is \"0\"; give a time such as 500ms, 2s or "
            "1m (a number alone is of seconds), at most 24h, or none"},
        {OWN_LIMITS "idle_timeout = \"1s\"\n", "spin.toml:9:1: \"idle_timeout\" in \"tool.weir\" of [component.a] is "
                                               "not for a component but for the whole "
                                               "server; write it in [application.tool.weir]"},
    };
    check_wrong(CASES, sizeof CASES / sizeof CASES[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_other_than_two_is_refused),
        cmocka_unit_test(an_unknown_key_is_refused_and_the_near_one_named),
        cmocka_unit_test(a_missing_key_is_named_with_what_to_add),
        cmocka_unit_test(a_value_of_the_wrong_type_is_named_with_both_types),
        cmocka_unit_test(what_would_change_the_guest_silently_is_refused),
        cmocka_unit_test(a_component_that_is_not_there_is_named_with_those_that_are),
        cmocka_unit_test(limits_of_weir_are_checked_and_other_tools_left_alone),
        cmocka_unit_test(a_component_id_that_is_not_kebab_case_is_refused),
        cmocka_unit_test(other_values_that_make_no_sense_are_refused),
        cmocka_unit_test(text_that_is_not_toml_is_refused_with_its_place),
        cmocka_unit_test(the_line_that_is_not_toml_is_shown),
        cmocka_unit_test(a_path_in_a_message_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
