/*
 * bench.h: `weir bench allocator`: how good the choice is, against configurations that do not come from its ladder.
 */
#ifndef WEIR_CLI_BENCH_H
#define WEIR_CLI_BENCH_H

/*
 * Run the command; `argv[0]` is "bench". Returns the exit status: 0 when there is a regret, 1 when nothing works or the
 * report could not be written, 2 when the command line or the environment is wrong. Takes two minutes at most. Forks,
 * and so must be called while the process has one thread; its children end with it, whatever ends it.
 */
int weir_bench_main(int argc, char **argv);

#endif
