/*
 * What XS has to know of the platform: a POSIX desktop. Included by the XS sources as XSPLATFORM.
 * Knows nothing of Holdfast.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#ifndef HOLDFAST_XS_PLATFORM_H
#define HOLDFAST_XS_PLATFORM_H

#undef mxLittleEndian
#undef mxBigEndian
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define mxLittleEndian 1
#define mxBigEndian 0
#else
#define mxLittleEndian 0
#define mxBigEndian 1
#endif

#if defined(__APPLE__)
#undef mxMacOSX
#define mxMacOSX 1
#else
#undef mxLinux
#define mxLinux 1
#endif

#define mxExport extern
#define mxImport extern
#define XS_FUNCTION_NORETURN __attribute__((noreturn))

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* gcc before 10 has the builtins that XS asks for, but not the question. */
#ifndef __has_builtin
#define __has_builtin(NAME) 1
#endif

#define mxUseGCCAtomics 1
#define mxUsePOSIXThreads 1
#define mxUseDefaultBuildKeys 1
#define mxUseDefaultParseScript 1
#define mxUseDefaultSharedChunks 1
#define mxUseDefaultFindModule 1
#define mxUseDefaultLoadModule 1
#define mxUseDefaultChunkAllocation 1
#define mxUseDefaultSlotAllocation 1
#define mxUseDefaultMachinePlatform 1

/* The waiter fields are for Atomics.wait; XS expects them by these names. */
#define mxMachinePlatform \
	void* waiterCondition; \
	void* waiterData; \
	void* waiterLink;

/* Slots of 64 bits have room for wide identifiers; those of 32 bits are the device's. */
#if INTPTR_MAX == INT64_MAX
#define mx32bitID 1
#endif

#endif
