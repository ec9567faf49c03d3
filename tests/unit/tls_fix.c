/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_fix.h"

struct net_keys tls_fix_keys;

int tls_fix_setup(void **state)
{
    (void)state;
    return net_keys_make(&tls_fix_keys);
}

int tls_fix_teardown(void **state)
{
    (void)state;
    net_keys_free(&tls_fix_keys);
    return 0;
}
