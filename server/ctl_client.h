/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl_client - one client of the operator's socket, as its command sees it.
 *
 * A command answers with ctl_client_item() and the like, and ends with exactly
 * one of ctl_client_result() and ctl_client_error().  While it waits for the
 * store (ctl_client_store()) the client may go;
 * the command then ends there.
 *
 * Threads: loop thread only.
 */
#ifndef SERVER_CTL_CLIENT_H
#define SERVER_CTL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "common/err.h"
#include "server/store/store.h"

enum { CTL_WORDS_MAX = 6 };

struct ctl_client;
typedef void ctl_step(struct ctl_client *cl, struct store_result *res);

/* Of the client's line: the command's arguments. */
const char *ctl_client_arg(const struct ctl_client *cl, size_t i); /* NULL behind the last */
struct daemon *ctl_client_daemon(const struct ctl_client *cl);

/* For the command's own use; free()d with the client, behind ${drop} (may be NULL). */
void *ctl_client_data(struct ctl_client *cl, size_t size);
void ctl_client_drop(struct ctl_client *cl, void (*drop)(void *data));

/* All take the reference on ${json}. */
void ctl_client_item(struct ctl_client *cl, json_t *json);
void ctl_client_event(struct ctl_client *cl, json_t *json);
void ctl_client_result(struct ctl_client *cl, json_t *json);
void ctl_client_error(struct ctl_client *cl, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same in the words of ${err}, with its hint. */
void ctl_client_refuse(struct ctl_client *cl, int code, const struct err *err);

/*
 * The outcome of a store start call that named ctl_client_on_store and ${cl}.
 * ${then} gets the result, which is freed behind it; it is not called if the client has gone.
 */
void ctl_client_store(struct ctl_client *cl, int rc, ctl_step *then);
void ctl_client_on_store(void *arg, struct store_result *res);

/*
 * The same for anything else that was begun and calls ctl_client_on_done with ${cl} once; ${then}
 * has a NULL result.
 */
void ctl_client_wait(struct ctl_client *cl, ctl_step *then);
void ctl_client_on_done(void *arg);

/*
 * Call ${then} (with a NULL result) when everything said so far has left: between the pages of a
 * list, so that a client that reads slowly does not fill our memory.
 */
void ctl_client_sent(struct ctl_client *cl, ctl_step *then);

#endif /* SERVER_CTL_CLIENT_H */
