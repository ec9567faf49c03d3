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

#include "common/err.h"

struct daemon;

/* ERR_OK, or why everything stays as it was (logged already). */
int reload_settings(struct daemon *d);

#endif /* SERVER_RELOAD_H */
