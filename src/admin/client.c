/*
 * client.c: receiving a head, answering, sending, and ending so that the answer arrives.
 */
#include "admin/client.h"

#include "guest/header_filter.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CLIENT_ROUNDS = 16 /* requests that one client has answered before others have their turn */ };

bool weir_admin_client_open(weir_admin_client_t *client, int take_descriptor, uint64_t now)
{
    *client = (weir_admin_client_t){
        .stage = WEIR_ADMIN_READING,
        .transport = {.descriptor = take_descriptor, .readable = true},
        .input = malloc(WEIR_ADMIN_HEAD_BYTES),
        .deadline = now + WEIR_ADMIN_HEAD_MILLISECONDS,
        .idle_since = now,
    };
    if (client->input == NULL) {
        weir_admin_client_close(client);
        return false;
    }
    return true;
}

void weir_admin_client_close(weir_admin_client_t *client)
{
    if (client->stage == WEIR_ADMIN_FREE) {
        return;
    }
    weir_transport_close(&client->transport);
    weir_head_text_free(&client->output);
    free(client->input);
    client->input = NULL;
    client->input_size = 0;
    client->stage = WEIR_ADMIN_FREE;
}

short weir_admin_client_events(const weir_admin_client_t *client)
{
    return client->stage == WEIR_ADMIN_SENDING ? POLLOUT : POLLIN;
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

static void add(weir_head_text_t *text, const char *name, const char *value)
{
    weir_response_head_add(text, (weir_pair_t){weir_bytes_of(name), weir_bytes_of(value)});
}

/* What holds for every answer: it is nobody else's, is what it says, and lets nothing in. */
static void add_policy(weir_head_text_t *text, const weir_admin_answer_t *answer)
{
    char policy[400] = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    if (answer->nonce[0] != '\0') {
        snprintf(policy, sizeof(policy),
            "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            answer->nonce, answer->nonce);
    }
    add(text, "Content-Security-Policy", policy);
    add(text, "X-Content-Type-Options", "nosniff");
    add(text, "Referrer-Policy", "no-referrer");
    add(text, "Cross-Origin-Resource-Policy", "same-origin");
    add(text, "Cache-Control", "no-store");
}

/* Put head and body of an answer into the output. */
static void compose(weir_admin_client_t *client, weir_admin_context_t *context, const weir_admin_answer_t *answer,
    const weir_head_t *head, const weir_head_text_t *body)
{
    weir_head_text_t *text = &client->output;
    bool head_only = head->method.size == 4 && memcmp(head->method.data, "HEAD", 4) == 0;
    weir_response_form_t form = {.status = answer->status,
        .minor = head->minor,
        .head_only = head_only,
        .length = (int64_t)body->size,
        .keeps = !answer->closes};
    text->size = 0;
    weir_response_head_begin(text, answer->status);
    add(text, "Content-Type", answer->content_type);
    if (answer->allow != NULL) {
        add(text, "Allow", answer->allow);
    }
    if (answer->location != NULL) {
        add(text, "Location", answer->location);
    }
    if (answer->varies) {
        add(text, "Vary", "Accept");
    }
    add_policy(text, answer);
    weir_response_head_end(text, &form, &context->date, (int64_t)time(NULL));
    if (!head_only) {
        weir_head_text_add(text, body->data, body->size);
    }
}

static void begin_answer(weir_admin_client_t *client, weir_admin_context_t *context, const weir_admin_answer_t *answer,
    const weir_head_t *head, weir_head_text_t *body, uint64_t now)
{
    if (!body->failed) {
        compose(client, context, answer, head, body);
    }
    if (body->failed || client->output.failed) {
        weir_admin_client_close(client); /* memory ran out */
    } else {
        client->sent = 0;
        client->closes = answer->closes;
        client->stage = WEIR_ADMIN_SENDING;
        client->deadline = now + WEIR_ADMIN_SEND_MILLISECONDS;
    }
    weir_head_text_free(body);
}

static void refuse(weir_admin_client_t *client, weir_admin_context_t *context, unsigned status, uint64_t now)
{
    const weir_head_t head = {.method = weir_bytes_of("GET"), .minor = 1};
    const weir_admin_answer_t answer = {.status = status, .content_type = "text/plain; charset=utf-8", .closes = true};
    weir_head_text_t body = {.size = 0};
    weir_head_text_add(&body, "refused\n", 8);
    begin_answer(client, context, &answer, &head, &body, now);
}

/* Answer what was received. Returns whether there was something to answer. */
static bool answer_input(weir_admin_client_t *client, weir_admin_context_t *context, uint64_t now)
{
    weir_admin_request_t request = {.fields = context->fields, .checks_host = context->checks_host};
    unsigned status = 400;
    weir_bytes_t text = {client->input, client->input_size};
    switch (weir_head_parse(text, &request.head, context->fields, &status)) {
    case WEIR_HEAD_WHOLE:
        break;
    case WEIR_HEAD_REFUSED:
        refuse(client, context, status, now);
        return true;
    case WEIR_HEAD_PARTIAL:
        if (client->input_size == WEIR_ADMIN_HEAD_BYTES) {
            bool has_line = memchr(client->input, '\n', client->input_size) != NULL;
            refuse(client, context, has_line ? 431 : 414, now);
            return true;
        }
        return false;
    }
    weir_head_text_t body = {.size = 0};
    weir_admin_answer_t answer = weir_admin_answer(&request, &context->names, &context->sources, &body);
    begin_answer(client, context, &answer, &request.head, &body, now);
    if (client->stage != WEIR_ADMIN_FREE) {
        client->input_size -= request.head.size;
        memmove(client->input, client->input + request.head.size, client->input_size);
    }
    return true;
}

/* ---- Bytes ------------------------------------------------------------------------------------------------------- */

/* Receive a part of a head. Returns whether anything came. */
static bool receive(weir_admin_client_t *client, uint64_t now)
{
    ssize_t more = weir_transport_receive(
        &client->transport, client->input + client->input_size, WEIR_ADMIN_HEAD_BYTES - client->input_size);
    if (more == WEIR_TRANSPORT_LATER) {
        return false;
    }
    if (more <= 0) {
        weir_admin_client_close(client);
        return false;
    }
    if (client->input_size == 0) {
        client->deadline = now + WEIR_ADMIN_HEAD_MILLISECONDS;
    }
    client->input_size += (size_t)more;
    return true;
}

/* Send what there is. Returns whether all of it was sent. */
static bool send_output(weir_admin_client_t *client)
{
    while (client->sent < client->output.size) {
        struct iovec rest = {client->output.data + client->sent, client->output.size - client->sent};
        ssize_t sent = weir_transport_send(&client->transport, &rest, 1);
        if (sent == WEIR_TRANSPORT_LATER) {
            return false;
        }
        if (sent < 0) {
            weir_admin_client_close(client);
            return false;
        }
        client->sent += (size_t)sent;
    }
    return true;
}

static void end_answer(weir_admin_client_t *client, uint64_t now)
{
    weir_head_text_free(&client->output);
    if (client->closes) {
        weir_transport_finish(&client->transport);
        client->stage = WEIR_ADMIN_LINGERING;
        client->deadline = now + WEIR_ADMIN_LINGER_MILLISECONDS;
        return;
    }
    client->stage = WEIR_ADMIN_READING;
    client->idle_since = now;
    client->deadline = now + (client->input_size > 0 ? WEIR_ADMIN_HEAD_MILLISECONDS : WEIR_ADMIN_IDLE_MILLISECONDS);
}

/* Closing with something unread would have the system throw away what was sent. */
static bool drop(weir_admin_client_t *client)
{
    ssize_t more = weir_transport_receive(&client->transport, client->input, WEIR_ADMIN_HEAD_BYTES);
    if (more == WEIR_TRANSPORT_LATER) {
        return false;
    }
    client->dropped += more > 0 ? (size_t)more : 0;
    if (more <= 0 || client->dropped > WEIR_ADMIN_LINGER_BYTES) {
        weir_admin_client_close(client);
    }
    return true;
}

static bool step(weir_admin_client_t *client, weir_admin_context_t *context, uint64_t now)
{
    switch (client->stage) {
    case WEIR_ADMIN_FREE:
        break;
    case WEIR_ADMIN_READING:
        return (client->input_size > 0 && answer_input(client, context, now)) || receive(client, now);
    case WEIR_ADMIN_SENDING:
        if (send_output(client)) {
            end_answer(client, now);
            return true;
        }
        break;
    case WEIR_ADMIN_LINGERING:
        return drop(client);
    }
    return false;
}

void weir_admin_client_run(weir_admin_client_t *client, weir_admin_context_t *context, uint64_t now)
{
    for (unsigned round = 0; round < CLIENT_ROUNDS * 3 && step(client, context, now); round++) {
    }
    if (client->stage != WEIR_ADMIN_FREE && now >= client->deadline) {
        weir_admin_client_close(client);
    }
}
