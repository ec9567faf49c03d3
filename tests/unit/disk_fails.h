/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_fails - writes and syncs of LMDB and of the redo log, and reads of the latter, that fail
 * when a test says so: pwrite(), writev(), fdatasync() and pread() of disk_fails.c stand between
 * the program and the system.
 *
 * Threads: the test's own sets the numbers, and any writes.
 */
#ifndef TESTS_UNIT_DISK_FAILS_H
#define TESTS_UNIT_DISK_FAILS_H

/* How many of the next calls of each kind fail, counted down; all zeros at first. */
struct disk_fails {
    _Atomic int meta;       /* writes of a file's first 8 KiB, where a commit of LMDB ends */
    _Atomic int meta_error; /* errno of those; 0: EIO */
    _Atomic int meta_done;  /* such writes that are done, and then said to have failed: EIO */
    _Atomic int data;       /* writes behind that: ENOSPC */
    _Atomic int sync;       /* EIO */
    _Atomic int log_fd;     /* of the redo log, whose calls count here; 0: they count above */
    _Atomic int log, log_sync, log_read; /* writes, syncs and reads of it: EIO */
};

extern struct disk_fails disk_fails;

#endif /* TESTS_UNIT_DISK_FAILS_H */
