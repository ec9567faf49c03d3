/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive_load - libarchive, loaded when a folder is sent or unpacked and not before: with what it
 * needs itself it would be most of what the start of the command costs.
 *
 * Threads: any.  Never unloaded.
 */
#ifndef CLIENT_LOCAL_ARCHIVE_LOAD_H
#define CLIENT_LOCAL_ARCHIVE_LOAD_H

#include <archive.h>
#include <archive_entry.h>

#include "common/err.h"

/* What is called of it. */
#define ARCHIVE_FUNCTIONS(X)                                                                       \
    X(archive_errno)                                                                               \
    X(archive_error_string)                                                                        \
    X(archive_format)                                                                              \
    X(archive_set_error)                                                                           \
    X(archive_read_data_block)                                                                     \
    X(archive_read_free)                                                                           \
    X(archive_read_new)                                                                            \
    X(archive_read_next_header2)                                                                   \
    X(archive_read_open)                                                                           \
    X(archive_read_support_format_tar)                                                             \
    X(archive_write_close)                                                                         \
    X(archive_write_data)                                                                          \
    X(archive_write_finish_entry)                                                                  \
    X(archive_write_free)                                                                          \
    X(archive_write_header)                                                                        \
    X(archive_write_new)                                                                           \
    X(archive_write_open)                                                                          \
    X(archive_write_set_bytes_per_block)                                                           \
    X(archive_write_set_format_pax)                                                                \
    X(archive_entry_clear)                                                                         \
    X(archive_entry_copy_pathname)                                                                 \
    X(archive_entry_copy_stat)                                                                     \
    X(archive_entry_copy_symlink)                                                                  \
    X(archive_entry_filetype)                                                                      \
    X(archive_entry_free)                                                                          \
    X(archive_entry_hardlink)                                                                      \
    X(archive_entry_linkify)                                                                       \
    X(archive_entry_linkresolver_free)                                                             \
    X(archive_entry_linkresolver_new)                                                              \
    X(archive_entry_linkresolver_set_strategy)                                                     \
    X(archive_entry_mtime)                                                                         \
    X(archive_entry_mtime_is_set)                                                                  \
    X(archive_entry_mtime_nsec)                                                                    \
    X(archive_entry_new)                                                                           \
    X(archive_entry_pathname)                                                                      \
    X(archive_entry_perm)                                                                          \
    X(archive_entry_set_dev)                                                                       \
    X(archive_entry_set_gid)                                                                       \
    X(archive_entry_set_ino)                                                                       \
    X(archive_entry_set_perm)                                                                      \
    X(archive_entry_set_size)                                                                      \
    X(archive_entry_set_uid)                                                                       \
    X(archive_entry_size)                                                                          \
    X(archive_entry_sparse_add_entry)                                                              \
    X(archive_entry_sparse_clear)                                                                  \
    X(archive_entry_sparse_count)                                                                  \
    X(archive_entry_symlink)                                                                       \
    X(archive_entry_unset_atime)                                                                   \
    X(archive_entry_unset_ctime)

#define ARCHIVE_POINTER(name) __typeof__(&(name)) name;

struct archive_functions {
    ARCHIVE_FUNCTIONS(ARCHIVE_POINTER)
};

/* Filled by archive_load(); nothing of libarchive may be called before it returned ERR_OK. */
extern struct archive_functions la;

/* ERR_UNSUPPORTED: it is not installed, or not the one this was built for. */
MUST_CHECK int archive_load(struct err *err);

#endif /* CLIENT_LOCAL_ARCHIVE_LOAD_H */
