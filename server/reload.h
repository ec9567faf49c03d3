/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload - read the settings again while serving.
 *
 * All or nothing: a file or a certificate that is not good changes nothing,
 * and the log says why.  Connections stay; new ones get the new certificate.
 * Data folder, listen addresses and store need a restart: the log names those
 * that differ.
 *
 * Threads: loop thread; reads a few small files.
 */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include "common/buf.h"
#include "common/err.h"

struct daemon;

/* Names of settings, commas between: what the daemon goes by now, and what only a restart brings.
 * All zeros at first; reload_told_free(). */
struct reload_told {
    struct buf changed, restart;
};

/* ERR_OK, or why everything stays as it was (logged already). */
int reload_settings(struct daemon *d, struct reload_told *told);

void reload_told_free(struct reload_told *told);

#endif /* SERVER_RELOAD_H */
