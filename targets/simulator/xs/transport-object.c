/*
 * `device.transport`: the connection as a Transport (hal/transport.ts). `read` and `write` copy
 * straight from and to the typed array, without a slot or a chunk. Knows arguments and results;
 * the connection is in socket.c.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "device.h"
#include "objects.h"
#include "socket.h"

static txID hostID;
static txID portID;
static txID secureID;

static void getState(txMachine* the)
{
	returnNumber(the, socketState());
}

static void getReason(txMachine* the)
{
	/* '' is in ROM, so that asking in the steady state costs nothing. */
	if (*socketReason())
		fxString(the, mxResult, (txString)socketReason());
	else
		fxStringX(the, mxResult, "");
}

static void getOnReady(txMachine* the)
{
	mxResult->kind = readyFunction.kind;
	mxResult->value = readyFunction.value;
}

static void setOnReady(txMachine* the)
{
	readyFunction.kind = mxArgv(0)->kind;
	readyFunction.value = mxArgv(0)->value;
}

static void transportOpen(txMachine* the)
{
	char host[256];
	int port;
	int secure;
	if ((mxArgc < 1) || (mxArgv(0)->kind != XS_REFERENCE_KIND))
		mxTypeError("a broker address is missing");
	mxPushSlot(mxArgv(0));
	mxGetID(hostID);
	snprintf(host, sizeof(host), "%s", fxToString(the, the->stack));
	mxPop();
	mxPushSlot(mxArgv(0));
	mxGetID(portID);
	port = fxToInteger(the, the->stack);
	mxPop();
	mxPushSlot(mxArgv(0));
	mxGetID(secureID);
	secure = fxToBoolean(the, the->stack);
	mxPop();
	returnNumber(the, socketOpen(host, port, secure));
}

static void transportWrite(txMachine* the)
{
	txNumber at = wholeArgument(the, 1);
	txNumber length = wholeArgument(the, 2);
	returnNumber(the, socketWrite(bytesArgument(the, 0, at, length), (size_t)length));
}

static void transportRead(txMachine* the)
{
	txNumber at = wholeArgument(the, 1);
	txNumber length = wholeArgument(the, 2);
	returnNumber(the, socketRead(roomArgument(the, 0, at, length), (size_t)length));
}

static void transportClose(txMachine* the)
{
	socketClose();
}

void transportObjectBuild(txMachine* the)
{
	txSlot* last = beginObject(the);
	hostID = fxNewNameC(the, "host");
	portID = fxNewNameC(the, "port");
	secureID = fxNewNameC(the, "secure");
	last = addAccessor(the, last, "state", getState, C_NULL);
	last = addAccessor(the, last, "reason", getReason, C_NULL);
	last = addAccessor(the, last, "onReady", getOnReady, setOnReady);
	last = addFunction(the, last, "open", transportOpen);
	last = addFunction(the, last, "write", transportWrite);
	last = addFunction(the, last, "read", transportRead);
	addFunction(the, last, "close", transportClose);
}
