/*
 * http_head.c: fuzzes heads of requests, and the same bytes as trailers. What is let through must frame its body in one
 * way only, and be made of parts of the text.
 */
#include "fuzz.h"
#include "http/head.h"

static bool is_within(weir_bytes_t part, const char *text, size_t size)
{
    return part.size == 0 || (part.data >= text && part.data + part.size <= text + size);
}

/* No line break, NUL or other control character but the tab. */
static bool is_clean(weir_bytes_t text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

static unsigned check_fields(const weir_pair_t *fields, size_t count, const char *text, size_t size, const char *name)
{
    unsigned found = 0;
    must_hold(count <= WEIR_HEAD_FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        must_hold(fields[i].name.size > 0 && is_within(fields[i].name, text, size));
        must_hold(is_within(fields[i].value, text, size) && is_clean(fields[i].name) && is_clean(fields[i].value));
        must_hold(memchr(fields[i].name.data, ' ', fields[i].name.size) == NULL);
        found += weir_text_is(fields[i].name, name) ? 1 : 0;
    }
    return found;
}

static void check_head(const weir_head_t *head, const weir_pair_t *fields, const char *text, size_t size)
{
    must_hold(head->size > 0 && head->size <= size && memcmp(text + head->size - 4, "\r\n\r\n", 4) == 0);
    must_hold(head->minor <= 1 && head->content_length >= -1);
    must_hold(head->method.size > 0 && is_within(head->method, text, head->size) && is_clean(head->method));
    must_hold(head->target.size > 0 && is_within(head->target, text, head->size) && is_clean(head->target));
    must_hold(is_within(head->host, text, head->size));
    unsigned lengths = check_fields(fields, head->field_count, text, head->size, "content-length");
    unsigned codings = check_fields(fields, head->field_count, text, head->size, "transfer-encoding");
    unsigned hosts = check_fields(fields, head->field_count, text, head->size, "host");
    must_hold(lengths + codings <= 1 && hosts <= 1 && (hosts == 1 || head->minor == 0));
    must_hold((codings == 1) == (head->content_length == -1) && (codings == 0 || head->minor == 1));
    must_hold(lengths == 1 || head->content_length <= 0);
    for (size_t i = 0; i < head->field_count; i++) {
        must_hold(!weir_text_is(fields[i].name, "transfer-encoding") || weir_text_is(fields[i].value, "chunked"));
        bool expects = head->minor == 1 && weir_text_is(fields[i].name, "expect") && fields[i].value.size > 0;
        must_hold(!expects || memchr(fields[i].value.data, ',', fields[i].value.size) != NULL ||
                  weir_text_is(fields[i].value, "100-continue"));
    }
    /* What comes after it changes nothing, and what is missing at its end makes it partial. */
    weir_head_t shorter;
    static weir_pair_t same[WEIR_HEAD_FIELDS_MAX];
    unsigned status;
    must_hold(weir_head_parse((weir_bytes_t){text, head->size}, &shorter, same, &status) == WEIR_HEAD_WHOLE);
    must_hold(shorter.size == head->size && shorter.content_length == head->content_length);
    must_hold(weir_head_parse((weir_bytes_t){text, head->size - 1}, &shorter, same, &status) == WEIR_HEAD_PARTIAL);
}

/* Nothing that comes later makes it good. */
static void check_refused(const char *text, size_t size)
{
    static const char more[] = "\r\n\r\n";
    static weir_pair_t fields[WEIR_HEAD_FIELDS_MAX];
    weir_head_t head;
    unsigned status;
    char *longer = malloc(size + sizeof(more));
    must_hold(longer != NULL);
    memcpy(longer, text, size);
    memcpy(longer + size, more, sizeof(more));
    must_hold(
        weir_head_parse((weir_bytes_t){longer, size + sizeof(more) - 1}, &head, fields, &status) == WEIR_HEAD_REFUSED);
    free(longer);
    status = weir_head_status_of_too_long((weir_bytes_t){text, size});
    must_hold(status == 414 || status == 431 || status == 501);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static weir_pair_t fields[WEIR_HEAD_FIELDS_MAX];
    char *text = copy_text(data, size);
    weir_head_t head;
    unsigned status = 0;
    size_t count;
    switch (weir_head_parse((weir_bytes_t){text, size}, &head, fields, &status)) {
    case WEIR_HEAD_WHOLE:
        check_head(&head, fields, text, size);
        break;
    case WEIR_HEAD_PARTIAL:
        break;
    case WEIR_HEAD_REFUSED:
        must_hold(status == 400 || status == 413 || status == 417 || status == 431 || status == 501 || status == 505);
        check_refused(text, size);
        break;
    }
    if (weir_trailers_parse((weir_bytes_t){text, size}, fields, &count)) {
        must_hold(check_fields(fields, count, text, size, "transfer-encoding") == 0);
        must_hold(check_fields(fields, count, text, size, "content-length") == 0);
    }
    free(text);
    return 0;
}
