#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Since Linux 5.8; the number is the kernel's, older headers do not have it.
#define CLINUX_INET_DIAG_CGROUP_ID 21
#define CLINUX_TCP_LISTEN 10

static int ask(int number, int family) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message = {
        .header = {.nlmsg_len = sizeof message, .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = 1u << CLINUX_TCP_LISTEN},
    };
    return send(number, &message, sizeof message, 0) == (ssize_t)sizeof message ? 0 : -1;
}

static void note(struct nlmsghdr *header, uint16_t port, uint64_t *ids, int capacity, int *count) {
    struct inet_diag_msg *socket = NLMSG_DATA(header);
    if (ntohs(socket->id.idiag_sport) != port || *count >= capacity) return;
    uint64_t id = 0;
    int length = (int)header->nlmsg_len - (int)NLMSG_LENGTH(sizeof *socket);
    struct rtattr *attribute = (struct rtattr *)(socket + 1);
    for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length))
        if (attribute->rta_type == CLINUX_INET_DIAG_CGROUP_ID) memcpy(&id, RTA_DATA(attribute), sizeof id);
    ids[(*count)++] = id;
}

static int collect(int number, uint16_t port, uint64_t *ids, int capacity, int *count) {
    char buffer[16384] __attribute__((aligned(8)));
    for (;;) {
        ssize_t got = recv(number, buffer, sizeof buffer, 0);
        if (got == -1 && errno == EINTR) continue;
        if (got <= 0) return -1;
        int length = (int)got;
        for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, length); h = NLMSG_NEXT(h, length)) {
            if (h->nlmsg_type == NLMSG_DONE) return 0;
            if (h->nlmsg_type == NLMSG_ERROR) return -1;
            note(h, port, ids, capacity, count);
        }
    }
}

int clinux_listener_cgroups(uint16_t port, uint64_t *ids, int capacity) {
    int number = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (number == -1) return -1;
    int count = 0;
    int outcome = ask(number, AF_INET);
    if (outcome == 0) outcome = collect(number, port, ids, capacity, &count);
    if (outcome == 0) outcome = ask(number, AF_INET6);
    if (outcome == 0) outcome = collect(number, port, ids, capacity, &count);
    close(number);
    return outcome == 0 ? count : -1;
}
