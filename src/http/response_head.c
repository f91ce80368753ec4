/*
 * response_head.c: RFC 9112, sections 4, 6 and 7, from the side of who answers.
 */
#include "http/response_head.h"

#include "http/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TEXT_FIRST_BYTES = 1024,
    EMPTIED = 205 /* a length is stated for it, and that is 0 (RFC 9110, section 15.3.6) */
};

#define ADD(text, constant) weir_head_text_add(text, constant, sizeof(constant) - 1)

static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
const weir_bytes_t weir_continue_head = {go_on, sizeof(go_on) - 1};

/* ---- Framing ----------------------------------------------------------------------------------------------------- */

bool weir_status_is_bodiless(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

weir_framing_t weir_framing_of(const weir_response_form_t *form)
{
    if (form->head_only || weir_status_is_bodiless(form->status) || form->status == EMPTIED) {
        return WEIR_FRAMING_NONE;
    }
    if (form->length >= 0) {
        return WEIR_FRAMING_LENGTH;
    }
    return form->minor == 0 ? WEIR_FRAMING_CLOSE : WEIR_FRAMING_CHUNKS;
}

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

static bool reserve(weir_head_text_t *text, size_t more)
{
    if (text->capacity - text->size >= more) {
        return true;
    }
    size_t capacity = text->capacity == 0 ? TEXT_FIRST_BYTES : text->capacity;
    while (capacity - text->size < more) {
        capacity *= 2;
    }
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void weir_head_text_add(weir_head_text_t *text, const void *bytes, size_t size)
{
    if (size > 0 && reserve(text, size)) {
        memcpy(text->data + text->size, bytes, size);
        text->size += size;
    }
}

void weir_head_text_free(weir_head_text_t *text)
{
    free(text->data);
    *text = (weir_head_text_t){.data = NULL};
}

/* A number in the digits of a base, at the end of `room`. Returns where it begins. */
static const char *write_number(char *end, uint64_t number, unsigned base)
{
    char *at = end;
    do {
        *--at = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    return at;
}

static void add_number(weir_head_text_t *text, uint64_t number)
{
    char room[20];
    const char *digits = write_number(room + sizeof(room), number, 10);
    weir_head_text_add(text, digits, (size_t)(room + sizeof(room) - digits));
}

/* ---- The head ---------------------------------------------------------------------------------------------------- */

void weir_response_head_begin(weir_head_text_t *text, unsigned status)
{
    const char *reason = weir_status_reason(status);
    ADD(text, "HTTP/1.1 ");
    add_number(text, status);
    ADD(text, " ");
    weir_head_text_add(text, reason, strlen(reason));
    ADD(text, "\r\n");
}

static bool is_one_line(weir_bytes_t text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\r' || text.data[i] == '\n' || text.data[i] == '\0') {
            return false;
        }
    }
    return true;
}

void weir_response_head_add(weir_head_text_t *text, weir_pair_t field)
{
    size_t size = field.name.size + field.value.size + 4;
    if (field.name.size == 0 || !is_one_line(field.name) || !is_one_line(field.value) || !reserve(text, size)) {
        return;
    }
    char *at = text->data + text->size;
    memcpy(at, field.name.data, field.name.size);
    at += field.name.size;
    *at++ = ':';
    *at++ = ' ';
    if (field.value.size > 0) {
        memcpy(at, field.value.data, field.value.size);
        at += field.value.size;
    }
    *at++ = '\r';
    *at = '\n';
    text->size += size;
}

/* In no locale: strftime would use the process's words. */
static void renew(weir_date_t *date, int64_t now)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t second = (time_t)now;
    struct tm parts;
    date->second = now;
    date->size = 0;
    if (gmtime_r(&second, &parts) == NULL || parts.tm_year + 1900 > 9999) {
        return;
    }
    int size =
        snprintf(date->text, sizeof(date->text), "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[parts.tm_wday],
            parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    date->size = size > 0 && (size_t)size < sizeof(date->text) ? (size_t)size : 0;
}

void weir_response_head_end(weir_head_text_t *text, const weir_response_form_t *form, weir_date_t *date, int64_t now)
{
    if (!form->has_date) {
        if (date->second != now || date->size == 0) {
            renew(date, now);
        }
        weir_head_text_add(text, date->text, date->size);
    }
    weir_framing_t framing = weir_framing_of(form);
    /* Of what is not sent a length may be stated, but not with 204 (RFC 9110, section 8.6). */
    if (form->status == EMPTIED) {
        ADD(text, "Content-Length: 0\r\n");
    } else if (framing == WEIR_FRAMING_LENGTH ||
               (framing == WEIR_FRAMING_NONE && form->length >= 0 && form->status != 204 && form->status >= 200)) {
        ADD(text, "Content-Length: ");
        add_number(text, (uint64_t)form->length);
        ADD(text, "\r\n");
    } else if (framing == WEIR_FRAMING_CHUNKS) {
        ADD(text, "Transfer-Encoding: chunked\r\n");
    }
    if (!form->keeps || framing == WEIR_FRAMING_CLOSE) {
        ADD(text, "Connection: close\r\n");
    } else if (form->minor == 0) {
        ADD(text, "Connection: keep-alive\r\n");
    }
    ADD(text, "\r\n");
}

size_t weir_chunk_begin(char ret_frame[WEIR_CHUNK_FRAME_BYTES], size_t size)
{
    char room[16];
    const char *digits = write_number(room + sizeof(room), size, 16);
    size_t count = (size_t)(room + sizeof(room) - digits);
    memcpy(ret_frame, digits, count);
    ret_frame[count] = '\r';
    ret_frame[count + 1] = '\n';
    return count + 2;
}
