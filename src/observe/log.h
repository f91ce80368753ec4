/*
 * log.h: weir's own log: one line an event, on standard error, with a level. Colours only on a terminal and without
 * NO_COLOR. Control characters in what is logged are escaped, so that nobody can forge a line.
 */
#ifndef WEIR_OBSERVE_LOG_H
#define WEIR_OBSERVE_LOG_H

#include <stdbool.h>
#include <stddef.h>

typedef enum weir_log_level {
    WEIR_LOG_ERROR = 0,
    WEIR_LOG_WARNING = 1,
    WEIR_LOG_INFO = 2,
    WEIR_LOG_DEBUG = 3,
} weir_log_level_t;

/* Set the highest level that is written (the default is WEIR_LOG_INFO). Before the second thread starts. */
void weir_log_set_level(weir_log_level_t level);

/*
 * Write one line: "weir: warning: ..." Lines from several threads do not mix: each is one write(2). A line longer than
 * 4,096 bytes is cut, and says so. Any thread. Never fails: what cannot be written is lost.
 */
__attribute__((format(printf, 2, 3))) void weir_log(weir_log_level_t level, const char *format, ...);

/*
 * Write what a guest wrote to a standard stream, split into lines, each with the component's name before it:
 * "[hello stderr] text". A last line without its newline is written as a line. Any thread.
 */
void weir_log_guest(const char *component, const char *stream, const char *bytes, size_t size);

/* Whether weir_log_guest writes anything (the default). Before the second thread starts. */
void weir_log_show_guests(bool show);

#endif
