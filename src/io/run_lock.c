/* One process at a time trains in a run directory. */
#define _DEFAULT_SOURCE /* flock, major, minor */
#include "io/file.h"
#include "io/run.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The process that holds the lock on the file of `fd`, as Linux lists it (proc(5), /proc/locks):
 *     1: FLOCK  ADVISORY  WRITE 708 08:01:1234 0 EOF
 * 0 where it cannot be found, as that of another container. */
static long holder(int fd)
{
    struct stat info;
    char line[256];
    long found = 0;
    FILE *locks = fstat(fd, &info) == 0 ? fopen("/proc/locks", "re") : NULL;
    while (locks && !found && fgets(line, sizeof line, locks)) {
        long process;
        unsigned in_major, in_minor;
        uint64_t inode;
        if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%" SCNu64, &process, &in_major, &in_minor,
                   &inode) == 4 &&
            inode == info.st_ino && in_major == major(info.st_dev) &&
            in_minor == minor(info.st_dev))
            found = process;
    }
    if (locks) fclose(locks);
    return found > 0 ? found : 0;
}

mg_status mg__run_lock(int *lock, const char *dir)
{
    mg_status st = MG_OK;
    int failed;
    int fd = mg__open_at(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        MG_FAIL(errno == ENOENT ? MG_ERR_NOT_FOUND : MG_ERR_IO, "%s: cannot open: %s", dir,
                strerror(errno));
    do failed = flock(fd, LOCK_EX | LOCK_NB);
    while (failed && errno == EINTR);
    if (failed && errno == EWOULDBLOCK) {
        char who[32] = "another process";
        const long process = holder(fd);
        if (process) snprintf(who, sizeof who, "process %ld", process);
        MG_FAIL(MG_ERR_IO, "%s: %s is training here: wait for its end or choose another directory",
                dir, who);
    }
    if (failed) MG_FAIL(MG_ERR_IO, "%s: cannot lock: %s", dir, strerror(errno));
    *lock = fd;
    fd = -1;
out:
    if (fd >= 0) close(fd);
    return st;
}
