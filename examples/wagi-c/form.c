/*
 * form: a WAGI module in C. It shows a form, and answers what was sent with it: an ordinary CGI program, which finds
 * its request in its environment and on standard input, and prints a head, an empty line and a body.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_SIZE_MAX 65536

/* A variable of the request; "" when it is not set. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

static int hexadecimal(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit >= 'A' && digit <= 'F' ? digit - 'A' + 'a' : digit);
    return found ? (int)(found - digits) : -1;
}

/* The value of a field of a form, decoded, in place; NULL when it was not sent. `form` must be terminated. */
static char *field(char *form, const char *name)
{
    size_t length = strlen(name);
    for (char *pair = strtok(form, "&"); pair != NULL; pair = strtok(NULL, "&")) {
        if (strncmp(pair, name, length) != 0 || pair[length] != '=')
            continue;
        char *value = pair + length + 1;
        char *to = value;
        for (const char *from = value; *from != '\0'; from++) {
            int high = *from == '%' ? hexadecimal(from[1]) : -1;
            int low = high >= 0 ? hexadecimal(from[2]) : -1;
            if (low >= 0)
                from += 2;
            *to++ = low >= 0 ? (char)(high * 16 + low) : *from == '+' ? ' ' : *from;
        }
        *to = '\0';
        return value;
    }
    return NULL;
}

/* What comes from outside is text, never markup. */
static void print_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", stdout);
            break;
        case '<':
            fputs("&lt;", stdout);
            break;
        case '>':
            fputs("&gt;", stdout);
            break;
        case '"':
            fputs("&quot;", stdout);
            break;
        default:
            putchar(*text);
        }
    }
}

static void show_form(void)
{
    printf("content-type: text/html; charset=utf-8\n\n");
    printf("<!doctype html>\n<title>Greeting</title>\n<form method=\"post\">\n");
    printf("<label>Your name <input name=\"name\"></label> <button>Greet me</button>\n</form>\n");
}

static void greet(void)
{
    static char body[BODY_SIZE_MAX + 1];
    size_t size = fread(body, 1, sizeof body, stdin);
    if (size > BODY_SIZE_MAX) {
        printf("status: 413 Content Too Large\ncontent-type: text/plain\n\nAt most %d bytes, please.\n", BODY_SIZE_MAX);
        return;
    }
    body[size] = '\0';
    const char *name = field(body, "name");
    if (name == NULL || *name == '\0') {
        /* Back to the form: a location without a status is a 302. */
        printf("location: %s\n\n", variable("SCRIPT_NAME"));
        return;
    }
    printf("content-type: text/html; charset=utf-8\n\n<!doctype html>\n<title>Greeting</title>\n<p>Hello, ");
    print_escaped(name);
    printf("!\n");
}

int main(void)
{
    const char *method = variable("REQUEST_METHOD");
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        show_form();
    else if (strcmp(method, "POST") == 0)
        greet();
    else
        printf("status: 405 Method Not Allowed\nallow: GET, HEAD, POST\ncontent-type: text/plain\n\nGET or POST, "
               "please.\n");
    return 0;
}
