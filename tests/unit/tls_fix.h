/* SPDX-License-Identifier: Apache-2.0 */
/* tls_fix - the keys that the engines of a group of tests have. */
#ifndef TESTS_UNIT_TLS_FIX_H
#define TESTS_UNIT_TLS_FIX_H

#include "net_pair.h"

extern struct net_keys tls_fix_keys;

/* Set-up and tear-down of the group: make them, free them. */
int tls_fix_setup(void **state);
int tls_fix_teardown(void **state);

#endif /* TESTS_UNIT_TLS_FIX_H */
