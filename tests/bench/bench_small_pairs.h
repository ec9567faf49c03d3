/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_small_pairs - TLS 1.3 connections over loopback, both ends in one process, which may fork
 * then and use one end in each.
 *
 * Every function ends the program when it fails.  Threads: one at a time for each end.
 */
#ifndef TESTS_BENCH_BENCH_SMALL_PAIRS_H
#define TESTS_BENCH_BENCH_SMALL_PAIRS_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

enum { PAIR_MAX = 64 };

struct pair {
    SSL *client, *server;
    int fds[2]; /* the client's, the server's; they block */
};

/* Connect the first ${n}, at most PAIR_MAX, of ${pairs}. */
void pair_all(struct pair *pairs, size_t n);

/* All of ${len} bytes; waits for them. */
void pair_say(SSL *ssl, const void *data, size_t len);
void pair_hear(SSL *ssl, uint8_t *data, size_t len);

#endif /* TESTS_BENCH_BENCH_SMALL_PAIRS_H */
