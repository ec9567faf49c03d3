/* SPDX-License-Identifier: Apache-2.0 */
/* suites - the parts of the contract suite; each returns its number of failed tests. */
#ifndef TESTS_CONTRACT_SUITES_H
#define TESTS_CONTRACT_SUITES_H

int suite_users(void);
int suite_manifests(void);
int suite_uploads(void);
int suite_pieces(void);
int suite_seal(void);
int suite_mail(void);
int suite_slots(void);
int suite_life(void);
int suite_gone(void);
int suite_instances(void);
int suite_store(void);
int suite_lmdb(void); /* of this engine alone */

#endif /* TESTS_CONTRACT_SUITES_H */
