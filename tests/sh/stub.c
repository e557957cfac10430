/* Stands for each of our programs in the tests of the package: tells systemd it is ready, then waits.
 * MARK makes two builds differ. "teardown" notes that it ran, and fails while /run/stub-fail exists. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void tell(const char *where, const char *what) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    strncpy(to.sun_path, where, sizeof to.sun_path - 1);
    if (*where == '@') to.sun_path[0] = 0;
    sendto(fd, what, strlen(what), 0, (struct sockaddr *)&to, sizeof to.sun_family + strlen(where));
    close(fd);
}

int main(int argc, char **argv) {
    const char *notify = getenv("NOTIFY_SOCKET"), *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    int fail = access("/run/stub-fail", F_OK) == 0;
    if (argc > 1 && !strcmp(argv[1], "teardown")) {
        FILE *note = fopen("/run/stub-teardown", "a");
        fprintf(note, "teardown " MARK " wg=%d\n", access("/run/pic-wg", F_OK) == 0);
        return fail;
    }
    if (!strcmp(name, "pic-guard") || !strcmp(name, "picctl") || !strcmp(name, "pic-installer")) return fail;
    if (notify) tell(notify, "READY=1");
    for (;;) {
        sleep(5);
        if (notify) tell(notify, "WATCHDOG=1");
    }
}
