/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site - a real satcheld in a folder of its own, for tests: made once with
 * init, started and stopped as often as a test wants, with settings of its choice.
 *
 * Ends only processes it started.  Functions abort() when they fail.
 */
#ifndef TESTS_INTEGRATION_SITE_H
#define TESTS_INTEGRATION_SITE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct site {
    char dir[64]; /* DIR/data is the data folder, DIR/conf the settings, DIR/log what it said */
    pid_t pid;    /* 0: not running */
    uint16_t port;
    bool clock; /* set between site_make() and site_start(): DIR/clock shifts its clock, in ms */
};

/* Where the programs are: the folder of the test's own program. */
const char *site_bin(const char *program);

/*
 * Make a folder below /tmp with an initialised data folder: a copy of the one that
 * SATCHEL_TEST_SITE names (training takes seconds), or one of its own.
 */
void site_make(struct site *s);
void site_remove(struct site *s); /* stops it as well */

/* Start with ${extra} (lines of settings below [server], may begin other sections); waits until it
 * listens. */
void site_start(struct site *s, const char *extra);

/* The same with a listening socket as systemd passes it. */
void site_start_with_socket(struct site *s, const char *extra, int fd);

/* Write other settings and send SIGHUP; waits for ${event} in the log. */
void site_reload(struct site *s, const char *extra, const char *event);

/* SIGTERM, and wait; returns the exit code, or -1: ended by a signal. */
int site_stop(struct site *s);

/* Wait until it ends by itself; as site_stop(). */
int site_wait(struct site *s);

/* SIGKILL, and wait. */
void site_kill(struct site *s);

/* Wait until its log has ${text}, at most some seconds; false: it never came. */
bool site_logged(const struct site *s, const char *text);

/* Is ${text} in its log now? */
bool site_log_has(const struct site *s, const char *text);

/* Private memory in KiB: RssAnon of /proc/PID/status. */
long site_private_kib(const struct site *s);

/* Run a program with arguments up to NULL; its output (cut at ${size}) goes to ${out}.  Exit code.
 */
int site_run(char *out, size_t size, const char *program, ...);

#endif /* TESTS_INTEGRATION_SITE_H */
