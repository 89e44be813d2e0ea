/*
 * One TCP connection that never blocks, with the contract of hal/transport.ts. Readiness is told
 * once, until the firmware reads or writes again, so that bytes it leaves lying wake nobody twice.
 * Knows no JavaScript and no TLS.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int handle = -1;
static int state = TRANSPORT_CLOSED;
static char reason[160];
static int wantsInput;
static int wantsOutput;
static int noticeDue;
static struct addrinfo* addresses;
static struct addrinfo* nextAddress;

int socketState(void)
{
	return state;
}

const char* socketReason(void)
{
	return reason;
}

static void drop(void)
{
	if (handle >= 0)
		close(handle);
	handle = -1;
	if (addresses)
		freeaddrinfo(addresses);
	addresses = nextAddress = NULL;
	state = TRANSPORT_CLOSED;
	wantsInput = wantsOutput = 0;
}

static int fail(int status, const char* what)
{
	drop();
	snprintf(reason, sizeof(reason), "%s", what);
	noticeDue = 1;
	return status;
}

/* Tries the addresses one after the other until one is on its way. */
static int connectNext(void)
{
	int error = EHOSTUNREACH;
	for (; nextAddress; nextAddress = nextAddress->ai_next) {
		int one = 1;
		if (handle >= 0)
			close(handle);
		handle = socket(nextAddress->ai_family, nextAddress->ai_socktype, 0);
		if (handle < 0) {
			error = errno;
			continue;
		}
		fcntl(handle, F_SETFL, fcntl(handle, F_GETFL) | O_NONBLOCK);
		fcntl(handle, F_SETFD, FD_CLOEXEC);
		setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (!connect(handle, nextAddress->ai_addr, nextAddress->ai_addrlen)
				|| (errno == EINPROGRESS)) {
			nextAddress = nextAddress->ai_next;
			state = TRANSPORT_CONNECTING;
			wantsOutput = 1;
			return OK;
		}
		error = errno;
	}
	return error;
}

int socketOpen(const char* host, int port, int secure)
{
	struct addrinfo hints;
	char service[16];
	int error;
	drop();
	noticeDue = 0;
	reason[0] = 0;
	if (secure)
		return fail(ERR_CONNECT, "this simulated board has no TLS");
	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	snprintf(service, sizeof(service), "%d", port);
	error = getaddrinfo(host, service, &hints, &addresses);
	if (error) {
		addresses = NULL;
		return fail(ERR_CONNECT, gai_strerror(error));
	}
	nextAddress = addresses;
	error = connectNext();
	return error ? fail(ERR_CONNECT, strerror(error)) : OK;
}

int socketWrite(const void* source, size_t length)
{
	ssize_t count;
	if (state == TRANSPORT_CLOSED)
		return ERR_CLOSED;
	if ((state == TRANSPORT_CONNECTING) || (length == 0))
		return 0;
	count = send(handle, source, length, 0);
	if (count < 0) {
		if ((errno != EAGAIN) && (errno != EWOULDBLOCK) && (errno != EINTR)) {
			/* Bytes that arrived before may still be read: `read` finds the end and closes. */
			snprintf(reason, sizeof(reason), "%s", strerror(errno));
			return ERR_CLOSED;
		}
		count = 0;
	}
	if ((size_t)count < length)
		wantsOutput = 1;
	return (int)count;
}

int socketRead(void* target, size_t length)
{
	ssize_t count;
	if (state == TRANSPORT_CLOSED)
		return ERR_CLOSED;
	if ((state == TRANSPORT_CONNECTING) || (length == 0))
		return 0;
	wantsInput = 1;
	count = recv(handle, target, length, 0);
	if (count > 0)
		return (int)count;
	if (count == 0)
		return fail(ERR_CLOSED, "the broker closed the connection");
	if ((errno == EAGAIN) || (errno == EWOULDBLOCK) || (errno == EINTR))
		return 0;
	return fail(ERR_CLOSED, strerror(errno));
}

void socketClose(void)
{
	char rest[512];
	int limit = 256;
	if (state == TRANSPORT_OPEN) {
		/* Unread bytes would make close() reset the connection and lose what was written. */
		shutdown(handle, SHUT_WR);
		while (limit-- && (recv(handle, rest, sizeof(rest), 0) > 0))
			;
	}
	drop();
	noticeDue = 0;
	reason[0] = 0;
}

static void finishConnect(void)
{
	int error = 0;
	socklen_t size = sizeof(error);
	getsockopt(handle, SOL_SOCKET, SO_ERROR, &error, &size);
	if (!error) {
		state = TRANSPORT_OPEN;
		wantsInput = 1;
		noticeDue = 1;
		return;
	}
	if (connectNext())
		fail(ERR_CONNECT, strerror(error));
}

int socketWait(double waitMs)
{
	struct pollfd watched;
	int timeout = -1;
	int isReady;
	/* Rounded up: waking a part of a millisecond early would only mean to wait again. */
	if (waitMs >= 0)
		timeout = (waitMs > 1e9) ? 1000000000 : (int)waitMs + (waitMs > (int)waitMs);
	if (noticeDue)
		timeout = 0;
	watched.fd = handle;
	watched.events = (wantsInput ? POLLIN : 0) | (wantsOutput ? POLLOUT : 0);
	watched.revents = 0;
	/* A watched handle reports errors even when nothing is asked for: then it is not watched. */
	if (poll(&watched, (handle >= 0) && watched.events ? 1 : 0, timeout) > 0) {
		int events = watched.revents;
		if (state == TRANSPORT_CONNECTING) {
			wantsOutput = 0;
			finishConnect();
		}
		else {
			if (events & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
				wantsInput = 0;
			if (events & (POLLOUT | POLLHUP | POLLERR | POLLNVAL))
				wantsOutput = 0;
			noticeDue = 1;
		}
	}
	isReady = noticeDue;
	noticeDue = 0;
	return isReady;
}
