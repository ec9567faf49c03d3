/* SPDX-License-Identifier: Apache-2.0 */
/* contract_store ENGINE: run the contract suite against an engine of harness.h. */
#include <stdio.h>
#include <string.h>

#include "tests/contract/harness.h"
#include "tests/contract/suites.h"

int main(int argc, char **argv)
{
    static const char *const engines[] = {"lmdb", "lmdb-failing", "lmdb-unknown"};

    int failed;

    harness_engine = NULL;
    for (size_t i = 0; argc == 2 && i < sizeof(engines) / sizeof(engines[0]); i++)
        if (strcmp(argv[1], engines[i]) == 0)
            harness_engine = engines[i];
    if (harness_engine == NULL) {
        (void)fprintf(stderr, "usage: contract_store lmdb|lmdb-failing|lmdb-unknown\n");
        return 2;
    }
    failed = suite_users() + suite_manifests() + suite_uploads() + suite_pieces() + suite_seal() +
             suite_mail() + suite_slots() + suite_life() + suite_gone() + suite_instances() +
             suite_store();
    if (!harness_fails())
        failed += suite_lmdb();
    return failed == 0 ? 0 : 1;
}
