/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations as calls that return when they are done.  Rules: satchel.h.
 *
 * For handles with a private loop (satchel_new() with a NULL loop): each call
 * runs that loop until its operation has ended.  The options are those of the
 * start functions; `done` is ignored, the other callbacks are called while the
 * call runs and may use satchel_sync_interrupt().  ${ret} (may be NULL) is set
 * on SATCHEL_OK only.  ${err} (may be NULL) is set on failure.
 */
#ifndef SATCHEL_SYNC_H
#define SATCHEL_SYNC_H

#include "account.h"
#include "contacts.h"
#include "device.h"
#include "factor.h"
#include "get.h"
#include "life.h"
#include "recover.h"
#include "server.h"
#include "watch.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Cancel what a satchel_sync_*() call is waiting for; it returns
 * SATCHEL_E_CANCELED soon.  The one function that may be called from another
 * thread or from a signal handler.  Without a call running: nothing.
 */
SATCHEL_API void satchel_sync_interrupt(struct satchel *s);

/*
 * Run the private loop until every operation that was started with satchel_*_start() has ended,
 * those started meanwhile by their callbacks too: for several at a time.
 * satchel_sync_interrupt() cancels all of them.  SATCHEL_E_BADSTATE: no private loop.
 */
SATCHEL_API int satchel_sync_wait(struct satchel *s, struct satchel_error *err);

SATCHEL_API int satchel_sync_register(struct satchel *s, const struct satchel_register_options *o,
                                      struct satchel_registered *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_ping(struct satchel *s, struct satchel_pong *ret,
                                  struct satchel_error *err);
SATCHEL_API int satchel_sync_doctor(struct satchel *s, const struct satchel_doctor_options *o,
                                    struct satchel_error *err);
SATCHEL_API int satchel_sync_contact_add(struct satchel *s,
                                         const struct satchel_contact_add_options *o,
                                         struct satchel_contact *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_contact_block(struct satchel *s,
                                           const struct satchel_contact_block_options *o,
                                           struct satchel_contact *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_recover(struct satchel *s, const struct satchel_recover_options *o,
                                     struct satchel_recovered *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_restore(struct satchel *s, const struct satchel_restore_options *o,
                                     struct satchel_restored *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_keys_rotate(struct satchel *s,
                                         const struct satchel_keys_rotate_options *o,
                                         struct satchel_key *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_device_revoke(struct satchel *s,
                                           const struct satchel_device_revoke_options *o,
                                           struct satchel_device *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_device_add(struct satchel *s,
                                        const struct satchel_device_add_options *o,
                                        struct satchel_device *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_device_join(struct satchel *s,
                                         const struct satchel_device_join_options *o,
                                         struct satchel_joined *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_send(struct satchel *s, const struct satchel_send_options *o,
                                  struct satchel_sent *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_list(struct satchel *s, const struct satchel_list_options *o,
                                  struct satchel_listed *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_find(struct satchel *s, const struct satchel_find_options *o,
                                  struct satchel_error *err);
SATCHEL_API int satchel_sync_get(struct satchel *s, const struct satchel_get_options *o,
                                 struct satchel_got *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_status(struct satchel *s, const struct satchel_status_options *o,
                                    struct satchel_status *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_extend(struct satchel *s, const struct satchel_extend_options *o,
                                    struct satchel_extended *ret, struct satchel_error *err);
SATCHEL_API int satchel_sync_revoke(struct satchel *s, const struct satchel_revoke_options *o,
                                    struct satchel_revoked *ret, struct satchel_error *err);
/* Returns when the connection is lost, or SATCHEL_E_CANCELED. */
SATCHEL_API int satchel_sync_watch(struct satchel *s, const struct satchel_watch_options *o,
                                   struct satchel_error *err);
SATCHEL_API int satchel_sync_delete(struct satchel *s, const struct satchel_delete_options *o,
                                    char ret_id[SATCHEL_ID_SIZE], struct satchel_error *err);
SATCHEL_API int satchel_sync_factor_enrol(struct satchel *s,
                                          const struct satchel_factor_enrol_options *o,
                                          struct satchel_error *err);
SATCHEL_API int satchel_sync_account_delete(struct satchel *s,
                                            const struct satchel_account_delete_options *o,
                                            struct satchel_error *err);
SATCHEL_API int satchel_sync_factor_remove(struct satchel *s,
                                           const struct satchel_factor_remove_options *o,
                                           struct satchel_error *err);
SATCHEL_API int satchel_sync_factor_list(struct satchel *s,
                                         const struct satchel_factor_list_options *o,
                                         struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_SYNC_H */
