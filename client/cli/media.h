/* SPDX-License-Identifier: Apache-2.0 */
/* media - what kind of file something is, told by its name.  Threads: any. */
#ifndef CLIENT_CLI_MEDIA_H
#define CLIENT_CLI_MEDIA_H

/* The media type (IANA) that the end of ${path} stands for; NULL: unknown.  A constant. */
const char *media_type_of(const char *path);

#endif /* CLIENT_CLI_MEDIA_H */
