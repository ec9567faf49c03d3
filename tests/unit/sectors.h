/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sectors - a disk that loses power, or writes, under one file: pwrite() and fdatasync() of
 * sectors.c stand between the program and the system.  They know which sectors of the file are
 * durable and which are only written.
 *
 * Threads: those that write are watched in turn; the functions below are for the test's own.
 */
#ifndef TESTS_UNIT_SECTORS_H
#define TESTS_UNIT_SECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ${path} as it is now counts as durable; from here on it is watched. */
void sectors_watch(const char *path);

/* The ${at}-th write or sync since sectors_watch() and all later ones fail; 0: none. */
void sectors_cut_at(unsigned at);

/*
 * The ${at}-th sync since sectors_watch() fails, and what was written before it is lost, as on
 * Linux: it can be read as written, and later syncs succeed without it.  0: none.
 */
void sectors_lose_at(unsigned at);

/* Syncs since sectors_watch(), those that failed as well. */
unsigned sectors_syncs(void);

/* Writes and syncs wait from the one to the other. */
void sectors_hold(void);
void sectors_go_on(void);

/* Note what is durable now: sectors_reboot() gives that back, whatever is written until then. */
void sectors_freeze(void);

/* The power is back: of what was not durable, ${which} decides sector by sector what is there;
 * nothing of it after sectors_freeze(). */
void sectors_reboot(unsigned which);

void sectors_free(void);

#endif /* TESTS_UNIT_SECTORS_H */
