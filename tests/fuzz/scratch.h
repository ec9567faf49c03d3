/* SPDX-License-Identifier: Apache-2.0 */
/* scratch - a folder for targets that need one, and a help for the leak checker. */
#ifndef TESTS_FUZZ_SCRATCH_H
#define TESTS_FUZZ_SCRATCH_H

enum { SCRATCH_PATH = 64 };

/* Make one, in memory where the system has a place for that. */
void scratch_make(char ret_path[SCRATCH_PATH]);

/* Remove it with all that is in it. */
void scratch_remove(const char *path);

/*
 * OpenSSL keeps the states of its generators in the secure heap, where the leak checker does not
 * look: what only they point to would count as lost.  Once; nothing without that checker.
 */
void scratch_show_secure_heap(void);

#endif /* TESTS_FUZZ_SCRATCH_H */
