/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_small_run - the leanest program that does what Satchel does for small sends.
 *
 * Two processes over TLS 1.3 on loopback, with Satchel's frames and messages.  64 clients send a
 * file of 1 KiB each, one send at a time, again and again: read the file, OpenTransfer, seal with
 * the shares that came, PutPiece and SealTransfer in one flight, wait for both answers.  They live
 * on two threads, each with a loop and its half of them; nothing is ever handed from one to the
 * other.
 *
 * The server has a loop that serves together whoever has said something meanwhile: a run of the
 * key network, then signatures; and a thread that writes, with one durable record for all that
 * has gathered during the one before, and a commit when the log is full.
 *
 * It has no limits, no time-outs, and no states but those, checks nothing but signatures, knows
 * nobody, and does not wait for the cells of slots to be on the disk.
 */
#ifndef TESTS_BENCH_BENCH_SMALL_RUN_H
#define TESTS_BENCH_BENCH_SMALL_RUN_H

#include <stdint.h>

struct small_run {
    const char *weights, *store, *file;
    uint32_t count; /* sends, beside those that warm it up */
};

/* Print one JSON object: sends a second, CPU us for each, of both ends and of either, and how many
 * sends shared a record.  Ends the program when anything fails. */
void small_run(const struct small_run *r);

#endif /* TESTS_BENCH_BENCH_SMALL_RUN_H */
