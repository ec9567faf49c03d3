/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsatchel - send files to people through a server that cannot read them.
 *
 * This header is the whole library; it includes
 *   satchel/error.h     codes and errors
 *   satchel/base.h      the handle, progress, notices, cancelling
 *   satchel/profile.h   profiles, registering, who am I
 *   satchel/recover.h   coming back with the recovery words
 *   satchel/server.h    ping and doctor
 *   satchel/contacts.h  people and their pinned keys
 *   satchel/account.h   encryption keys and devices of our own
 *   satchel/device.h    let another machine in
 *   satchel/send.h      send a file
 *   satchel/folder.h    list the inbox and the sent folder, find by prefix
 *   satchel/factor.h    one-time passwords
 *   satchel/get.h       get, status, delete
 *   satchel/life.h      revoke, extend
 *   satchel/watch.h     events
 *   satchel/sync.h      the same operations as calls that return when done
 *
 * Model.  A struct satchel binds one profile to one uv_loop_t.  An operation
 * is begun by a satchel_*_start() function with an options structure.  Either
 * it returns an error and never calls back, or it returns SATCHEL_OK and calls
 * the options' `done` exactly once, later, never from inside the start.
 * Operations of one handle share one connection, made when it is first needed,
 * and run side by side (at most SATCHEL_MAX_OPS).  Each can be cancelled.
 *
 * Options structures are zero-initialised by the caller ({0}: defaults) and
 * copied by the start, with the strings in them; the callbacks and cookies
 * must live until `done` has returned.  Pointers handed to a callback are
 * valid inside it only.  Result structures are plain values: copy them freely.
 *
 * Text is UTF-8 with a final NUL.  File names are bytes with a final NUL: they
 * come from other people and may hold line ends and control characters, which
 * whoever shows them has to escape.  Times are milliseconds since 1970 UTC,
 * lengths of time milliseconds, sizes bytes.
 *
 * Threads: all calls for one handle come from its loop's thread; different
 * handles are independent.  The loop never blocks on the network or on bulk
 * work, which runs on libuv's thread pool.
 *
 * The process is the program's: no limit, signal or flag of it is changed.
 * Keys are in OpenSSL's secure heap (1 MiB, locked where that is allowed, made
 * at first use unless the program has made one).  What else is in memory, as
 * names and messages, a core dump would show: a program that minds forbids
 * them with setrlimit(RLIMIT_CORE) and prctl(PR_SET_DUMPABLE), as the command
 * does.
 *
 * Version 0: names of codes and fields are stable, the binary layout is not.
 */
#ifndef SATCHEL_H
#define SATCHEL_H

#include "satchel/account.h"
#include "satchel/base.h"
#include "satchel/contacts.h"
#include "satchel/device.h"
#include "satchel/error.h"
#include "satchel/factor.h"
#include "satchel/folder.h"
#include "satchel/get.h"
#include "satchel/life.h"
#include "satchel/profile.h"
#include "satchel/recover.h"
#include "satchel/send.h"
#include "satchel/server.h"
#include "satchel/sync.h"
#include "satchel/watch.h"

#endif /* SATCHEL_H */
