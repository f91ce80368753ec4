/*
 * otlp_settings.c: one variable after the other; an empty one counts as none.
 */
#include "observe/otlp_settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef struct reader {
    char *const *environment;
    weir_otlp_settings_t *settings;
    bool failed; /* memory ran out */
} reader_t;

/* The value of a variable; NULL when it is not there, or empty. */
static const char *value_of(const reader_t *reader, const char *name)
{
    size_t size = strlen(name);
    for (char *const *at = reader->environment; at != NULL && *at != NULL; at++) {
        if (strncmp(*at, name, size) == 0 && (*at)[size] == '=' && (*at)[size + 1] != '\0')
            return *at + size + 1;
    }
    return NULL;
}

__attribute__((format(printf, 2, 3))) static void warn(reader_t *reader, const char *format, ...)
{
    weir_otlp_settings_t *settings = reader->settings;
    if (settings->warning_count == WEIR_OTLP_WARNINGS_MAX)
        return;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&settings->warnings[settings->warning_count], format, arguments) < 0)
        reader->failed = true;
    else
        settings->warning_count++;
    va_end(arguments);
}

static char *copy(reader_t *reader, const char *text, size_t size)
{
    char *copied = strndup(text, size);
    reader->failed = reader->failed || copied == NULL;
    return copied;
}

/* One of two variables: that for traces wins over the one for all signals. Its name in `*ret_name`. */
static const char *either(const reader_t *reader, const char *suffix, char *ret_name, size_t size)
{
    snprintf(ret_name, size, "OTEL_EXPORTER_OTLP_TRACES_%s", suffix);
    const char *value = value_of(reader, ret_name);
    if (value == NULL) {
        snprintf(ret_name, size, "OTEL_EXPORTER_OTLP_%s", suffix);
        value = value_of(reader, ret_name);
    }
    return value;
}

/* ---- Whether, and where to --------------------------------------------------------------------------------------- */

/* Whether one of the names in the list is "otlp"; others are not served. */
static bool exports_otlp(reader_t *reader)
{
    const char *list = value_of(reader, "OTEL_TRACES_EXPORTER");
    bool otlp = list == NULL;
    while (list != NULL && *list != '\0') {
        size_t size = strcspn(list, ",");
        size_t first = strspn(list, " \t");
        size_t end = size;
        while (end > first && (list[end - 1] == ' ' || list[end - 1] == '\t'))
            end--;
        const char *name = list + (first < end ? first : end);
        size_t length = first < end ? end - first : 0;
        if (length == 4 && strncmp(name, "otlp", 4) == 0)
            otlp = true;
        else if (length > 0 && !(length == 4 && strncmp(name, "none", 4) == 0))
            warn(reader, "OTEL_TRACES_EXPORTER: '%.*s' is not served; it can be otlp or none", (int)length, name);
        list += size + (list[size] == ',' ? 1 : 0);
    }
    return otlp;
}

static bool is_http_url(const char *text)
{
    const char *host = strncasecmp(text, "http://", 7) == 0    ? text + 7
                       : strncasecmp(text, "https://", 8) == 0 ? text + 8
                                                               : NULL;
    return host != NULL && *host != '\0' && strchr("/?#", *host) == NULL && strpbrk(text, " \t\r\n\"<>\\") == NULL;
}

/* That for traces is taken as it is; to that for all signals "v1/traces" is added. */
static bool read_url(reader_t *reader)
{
    const char *own = value_of(reader, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    const char *common = value_of(reader, "OTEL_EXPORTER_OTLP_ENDPOINT");
    const char *base = own != NULL ? own : common;
    const char *name = own != NULL ? "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" : "OTEL_EXPORTER_OTLP_ENDPOINT";
    if (base == NULL)
        return false;
    if (!is_http_url(base) || strchr(base, '@') != NULL) {
        /* Not shown: a URL may hold a secret. */
        warn(reader, "%s is no http or https URL; no traces are exported", name);
        return false;
    }
    bool ends_in_slash = base[strlen(base) - 1] == '/';
    int length = own != NULL ? asprintf(&reader->settings->url, "%s", own)
                             : asprintf(&reader->settings->url, "%s%sv1/traces", common, ends_in_slash ? "" : "/");
    reader->failed = reader->failed || length < 0;
    return length >= 0;
}

static bool read_protocol(reader_t *reader)
{
    char name[64];
    const char *protocol = either(reader, "PROTOCOL", name, sizeof name);
    if (protocol == NULL || strcmp(protocol, "http/protobuf") == 0)
        return true;
    reader->settings->json = strcmp(protocol, "http/json") == 0;
    if (reader->settings->json)
        return true;
    if (strcmp(protocol, "grpc") == 0) {
        warn(reader,
            "%s is grpc, which is not served: no traces are exported; let it be http/protobuf, and the endpoint the "
            "collector's port for HTTP, 4318 as a rule",
            name);
        return false;
    }
    warn(reader, "%s is '%s'; it can be http/protobuf or http/json, and is taken for http/protobuf", name, protocol);
    return true;
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decode what is written as %XX, in place; false when what it comes to cannot be in a text. */
static bool percent_decode(char *text)
{
    char *end = text;
    for (const char *at = text; *at != '\0'; at++) {
        int high = at[0] == '%' ? hex_of(at[1]) : -1;
        int low = high >= 0 ? hex_of(at[2]) : -1;
        if (low >= 0) {
            *end = (char)(high << 4 | low);
            at += 2;
        } else {
            *end = *at;
        }
        if (*end++ == '\0')
            return false;
    }
    *end = '\0';
    return true;
}

static void free_texts(weir_otlp_text_t *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(texts[i].name);
        free(texts[i].value);
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Blanks around it are left out. */
static char *copy_trimmed(reader_t *reader, const char *text, size_t size)
{
    while (size > 0 && is_blank(text[0])) {
        text++;
        size--;
    }
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    return copy(reader, text, size);
}

/*
 * A list "name=value,name=value", its values percent-encoded (W3C Baggage). What is malformed is warned of, without
 * what it holds, which may be secret, and left out.
 */
static size_t read_list(reader_t *reader, const char *variable, const char *list, bool (*is_valid)(weir_otlp_text_t),
    weir_otlp_text_t *ret_texts, size_t most)
{
    size_t count = 0;
    for (unsigned index = 1; list != NULL && *list != '\0' && !reader->failed; index++) {
        size_t size = strcspn(list, ",");
        const char *equals = memchr(list, '=', size);
        weir_otlp_text_t text = {NULL, NULL};
        if (equals != NULL) {
            text.name = copy_trimmed(reader, list, (size_t)(equals - list));
            text.value = copy_trimmed(reader, equals + 1, (size_t)(list + size - equals - 1));
        }
        bool sound = text.name != NULL && text.value != NULL && text.name[0] != '\0' && percent_decode(text.name) &&
                     percent_decode(text.value) && is_valid(text);
        if (sound && count < most) {
            ret_texts[count++] = text;
        } else {
            free_texts(&text, 1);
            if (size > strspn(list, " \t"))
                warn(reader, "%s: entry %u %s", variable, index,
                    sound ? "is one too many" : "is malformed, and left out");
        }
        list += size + (list[size] == ',' ? 1 : 0);
    }
    return count;
}

/* RFC 9110, sections 5.1 and 5.5; those that frame the request are weir's own to set. */
static bool is_header(weir_otlp_text_t text)
{
    static const char *const own[] = {"host", "content-length", "content-type", "transfer-encoding", "connection",
        "content-encoding", "te", "trailer", "upgrade", "expect"};
    for (const char *at = text.name; *at != '\0'; at++) {
        if (*at <= ' ' || *at >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", *at) != NULL)
            return false;
    }
    for (const char *at = text.value; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    }
    for (size_t i = 0; i < COUNT(own); i++) {
        if (strcasecmp(text.name, own[i]) == 0)
            return false;
    }
    return true;
}

static bool is_any(weir_otlp_text_t text)
{
    (void)text;
    return true;
}

static bool has_resource(const weir_otlp_settings_t *settings, const char *name)
{
    for (size_t i = 0; i < settings->resource_count; i++) {
        if (strcmp(settings->resource[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Add an attribute, unless it is there; `wins`: also then, in its place. */
static void add_resource(reader_t *reader, const char *name, const char *value, bool wins)
{
    weir_otlp_settings_t *settings = reader->settings;
    for (size_t i = 0; wins && !reader->failed && i < settings->resource_count; i++) {
        if (strcmp(settings->resource[i].name, name) == 0) {
            free(settings->resource[i].value);
            settings->resource[i].value = copy(reader, value, strlen(value));
            return;
        }
    }
    if (reader->failed || value == NULL || has_resource(settings, name) ||
        settings->resource_count == WEIR_OTLP_RESOURCE_MAX)
        return;
    weir_otlp_text_t *text = &settings->resource[settings->resource_count++];
    text->name = copy(reader, name, strlen(name));
    text->value = copy(reader, value, strlen(value));
}

/* The application is what serves; Spin says "spin" of each (crates/telemetry/src/detector.rs). */
static void read_resource(reader_t *reader, const char *application, const char *app_version, const char *version)
{
    enum { OWN = 5 };
    weir_otlp_settings_t *settings = reader->settings;
    const char *name = value_of(reader, "OTEL_SERVICE_NAME");
    settings->resource_count = read_list(reader, "OTEL_RESOURCE_ATTRIBUTES",
        value_of(reader, "OTEL_RESOURCE_ATTRIBUTES"), is_any, settings->resource, WEIR_OTLP_RESOURCE_MAX - OWN);
    add_resource(reader, "service.name", name != NULL ? name : application, name != NULL);
    if (name == NULL)
        add_resource(reader, "service.version", app_version, false);
    add_resource(reader, "telemetry.sdk.name", "weir", true);
    add_resource(reader, "telemetry.sdk.language", "c", true);
    add_resource(reader, "telemetry.sdk.version", version, true);
}

static void read_headers(reader_t *reader)
{
    char name[64];
    const char *list = either(reader, "HEADERS", name, sizeof name);
    reader->settings->header_count =
        read_list(reader, name, list, is_header, reader->settings->headers, WEIR_OTLP_HEADERS_MAX);
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static uint64_t read_number(
    reader_t *reader, const char *name, const char *value, uint64_t usual, uint64_t least, uint64_t most)
{
    char *end;
    if (value == NULL)
        return usual;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || number < least || number > most) {
        warn(reader, "%s is '%s'; it can be a number from %llu to %llu, and is taken for %llu", name, value,
            (unsigned long long)least, (unsigned long long)most, (unsigned long long)usual);
        return usual;
    }
    return number;
}

static uint64_t read_variable(reader_t *reader, const char *name, uint64_t usual, uint64_t least, uint64_t most)
{
    return read_number(reader, name, value_of(reader, name), usual, least, most);
}

static void read_numbers(reader_t *reader)
{
    enum { HOUR = 60 * 60 * 1000 };
    weir_otlp_settings_t *settings = reader->settings;
    char name[64];
    const char *timeout = either(reader, "TIMEOUT", name, sizeof name);
    settings->timeout_milliseconds = read_number(reader, name, timeout, 10000, 1, HOUR);
    settings->export_milliseconds = read_variable(reader, "OTEL_BSP_EXPORT_TIMEOUT", 30000, 1, HOUR);
    settings->delay_milliseconds = read_variable(reader, "OTEL_BSP_SCHEDULE_DELAY", 5000, 0, HOUR);
    settings->queue_size = (uint32_t)read_variable(reader, "OTEL_BSP_MAX_QUEUE_SIZE", 2048, 1, WEIR_OTLP_QUEUE_MAX);
    settings->batch_size =
        (uint32_t)read_variable(reader, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, 1, WEIR_OTLP_QUEUE_MAX);
    if (settings->batch_size > settings->queue_size)
        settings->batch_size = settings->queue_size;
}

/* ---- The sampler ------------------------------------------------------------------------------------------------- */

static double read_ratio(reader_t *reader)
{
    const char *text = value_of(reader, "OTEL_TRACES_SAMPLER_ARG");
    char *end;
    if (text == NULL)
        return 1;
    double ratio = strtod(text, &end);
    if (*end != '\0' || end == text || !(ratio >= 0 && ratio <= 1)) {
        warn(reader, "OTEL_TRACES_SAMPLER_ARG is '%s'; it can be a number from 0 to 1, and is taken for 1", text);
        return 1;
    }
    return ratio;
}

static void read_sampler(reader_t *reader)
{
    static const struct {
        const char *name;
        weir_sampler_t sampler;
    } samplers[] = {
        {"always_on", {WEIR_SAMPLER_ALWAYS_ON, false, 1}},
        {"always_off", {WEIR_SAMPLER_ALWAYS_OFF, false, 1}},
        {"traceidratio", {WEIR_SAMPLER_RATIO, false, 1}},
        {"parentbased_always_on", {WEIR_SAMPLER_ALWAYS_ON, true, 1}},
        {"parentbased_always_off", {WEIR_SAMPLER_ALWAYS_OFF, true, 1}},
        {"parentbased_traceidratio", {WEIR_SAMPLER_RATIO, true, 1}},
    };
    const char *name = value_of(reader, "OTEL_TRACES_SAMPLER");
    weir_sampler_t sampler = {WEIR_SAMPLER_ALWAYS_ON, true, 1};
    bool found = name == NULL;
    for (size_t i = 0; !found && i < COUNT(samplers); i++) {
        found = strcmp(name, samplers[i].name) == 0;
        sampler = found ? samplers[i].sampler : sampler;
    }
    if (!found)
        warn(reader,
            "OTEL_TRACES_SAMPLER is '%s'; it can be always_on, always_off, traceidratio, or one of these behind "
            "parentbased_, and is taken for parentbased_always_on",
            name);
    if (sampler.kind == WEIR_SAMPLER_RATIO)
        sampler.ratio = read_ratio(reader);
    reader->settings->sampler = sampler;
}

/* ---- What is not served ------------------------------------------------------------------------------------------ */

static void warn_of_rest(reader_t *reader)
{
    static const char *const unserved[] = {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT",
        "OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"};
    static const char *const of_exporter[] = {"CLIENT_CERTIFICATE", "CLIENT_KEY"};
    char name[64];
    for (size_t i = 0; i < COUNT(unserved); i++) {
        if (value_of(reader, unserved[i]) != NULL)
            warn(reader, "%s is not served", unserved[i]);
    }
    for (size_t i = 0; i < COUNT(of_exporter); i++) {
        if (either(reader, of_exporter[i], name, sizeof name) != NULL)
            warn(reader, "%s is not served: no certificate is shown to the collector", name);
    }
    const char *compression = either(reader, "COMPRESSION", name, sizeof name);
    if (compression != NULL && strcmp(compression, "none") != 0)
        warn(reader, "%s is '%s', which is not served: what is sent is not compressed", name, compression);
    const char *propagators = value_of(reader, "OTEL_PROPAGATORS");
    if (propagators != NULL && strcmp(propagators, "tracecontext") != 0 &&
        strcmp(propagators, "tracecontext,baggage") != 0)
        warn(reader, "OTEL_PROPAGATORS is '%s'; served are traceparent and tracestate (tracecontext) alone",
            propagators);
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

bool weir_otlp_settings_read(char *const *environment, const char *application, const char *app_version,
    const char *version, weir_otlp_settings_t *ret_settings)
{
    weir_otlp_settings_t settings = {.is_on = false};
    reader_t reader = {environment, &settings, false};
    const char *disabled = value_of(&reader, "OTEL_SDK_DISABLED");
    bool wanted = value_of(&reader, "OTEL_EXPORTER_OTLP_ENDPOINT") != NULL ||
                  value_of(&reader, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != NULL;
    if (wanted && (disabled == NULL || strcasecmp(disabled, "true") != 0)) {
        settings.is_on = exports_otlp(&reader) && read_url(&reader) && read_protocol(&reader);
    }
    if (settings.is_on) {
        char name[64];
        const char *certificate = either(&reader, "CERTIFICATE", name, sizeof name);
        settings.certificate = certificate == NULL ? NULL : copy(&reader, certificate, strlen(certificate));
        read_headers(&reader);
        read_resource(&reader, application, app_version, version);
        read_numbers(&reader);
        read_sampler(&reader);
        warn_of_rest(&reader);
    }
    if (reader.failed) {
        weir_otlp_settings_free(&settings);
        return false;
    }
    *ret_settings = settings;
    return true;
}

void weir_otlp_settings_free(weir_otlp_settings_t *settings)
{
    free(settings->url);
    free(settings->certificate);
    free_texts(settings->headers, settings->header_count);
    free_texts(settings->resource, settings->resource_count);
    for (size_t i = 0; i < settings->warning_count; i++)
        free(settings->warnings[i]);
    memset(settings, 0, sizeof *settings);
}
