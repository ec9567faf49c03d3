/* SPDX-License-Identifier: Apache-2.0 */
/*
 * req - the handlers, one file each: req_hello.c and so on.  What each does
 * stands in PROTOCOL.md section 4.
 */
#ifndef SERVER_REQ_H
#define SERVER_REQ_H

#include "server/call.h"

void req_hello(struct call *c);
void req_register(struct call *c);
void req_login(struct call *c);
void req_lookup(struct call *c);
void req_put_manifest(struct call *c);
void req_ping(struct call *c);
void req_bye(struct call *c);
void req_open(struct call *c);
void req_put_piece(struct call *c);
void req_seal(struct call *c);
void req_upload_state(struct call *c);
void req_abandon(struct call *c);
void req_list(struct call *c);
void req_get_transfer(struct call *c);
void req_find(struct call *c);
void req_release(struct call *c);
void req_get_leaves(struct call *c);
void req_get_pieces(struct call *c);
void req_factor_enrol(struct call *c);
void req_factor_confirm(struct call *c);
void req_factor_remove(struct call *c);
void req_factor_list(struct call *c);
void req_delete(struct call *c);
void req_status(struct call *c);
void req_set_block(struct call *c);
void req_put_account(struct call *c);
void req_get_account(struct call *c);
void req_offer_join(struct call *c);
void req_join(struct call *c);
void req_recover(struct call *c);
void req_delete_account(struct call *c);
void req_extend(struct call *c);
void req_revoke(struct call *c);
void req_put_receipt(struct call *c);
void req_list_events(struct call *c);
void req_subscribe(struct call *c);

#endif /* SERVER_REQ_H */
