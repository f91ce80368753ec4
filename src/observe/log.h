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
 * Write one line: "weir: warning: ..." Lines from several threads do not mix: each goes to the kernel in one piece. A
 * line longer than 4,096 bytes is cut, and says so. Any thread. Never fails, and never waits longer than 100 ms for a
 * standard error that takes nothing; once one call has waited in vain, none waits until there is room again. What was
 * not written is lost, and how many lines were is told after the next one that is written. (standard_error.h says what
 * cannot be promised where.)
 */
__attribute__((format(printf, 2, 3))) void weir_log(weir_log_level_t level, const char *format, ...);

/*
 * Write what a guest wrote to a standard stream, split into lines, each with the component's name before it:
 * "[hello stderr] text". A last line without its newline is written as a line. Any thread. Waits as
 * weir_log does: 100 ms at most, however many lines there are.
 */
void weir_log_guest(const char *component, const char *stream, const char *bytes, size_t size);

#endif
