/*
 * One TCP connection that never blocks; socket.c says how it behaves.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#ifndef HOLDFAST_XS_SOCKET_H
#define HOLDFAST_XS_SOCKET_H

#include <stddef.h>

/* As in hal/transport.ts and src/status.ts. */
enum { TRANSPORT_CLOSED = 0, TRANSPORT_CONNECTING, TRANSPORT_OPEN };
#define OK 0
#define ERR_CLOSED -4002
#define ERR_CONNECT -4003

int socketState(void);
const char* socketReason(void);
int socketOpen(const char* host, int port, int secure);
int socketWrite(const void* source, size_t length);
int socketRead(void* target, size_t length);
void socketClose(void);

/* Waits up to `waitMs` (less than 0: for ever); true when `onReady` and `poll` are due. */
int socketWait(double waitMs);

#endif
