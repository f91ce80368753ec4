/*
 * app_dotenv.c: fuzzes the file .env.
 */
#include "app/dotenv.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = copy_text(data, size);
    char *environment[] = {"A=from the environment", NULL};
    weir_variable_list_t list;
    char *message = NULL;
    if (weir_dotenv_parse(".env", text, environment, &list, &message)) {
        must_hold(list.count <= WEIR_VARIABLE_LIST_MAX && list.count <= size);
        for (size_t i = 0; i < list.count; i++) {
            /* Names are in the file; the last of each counts. */
            const char *name = list.variables[i].name;
            must_hold(name[0] != '\0' && strstr(text, name) != NULL);
            must_hold(name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.")] == '\0');
            must_hold(weir_variable_list_find(&list, name, strlen(name)) != NULL);
        }
        weir_variable_list_free(&list);
    } else {
        must_hold(message != NULL && strchr(message, '\n') == NULL);
        free(message);
    }
    free(text);
    return 0;
}
