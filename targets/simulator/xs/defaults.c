/*
 * The table of optional parts of XS, as the linker of the Moddable SDK leaves it on a device:
 * functions have neither `name` nor `length`. The stack of an Error is captured by bytecode.c,
 * which knows lines also where XS is built without its debugger.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 * It includes xsDefaults.c of the Moddable SDK (LGPL-3.0-or-later), so a binary is under the LGPL.
 */
#include "xsAll.h"
#include "device.h"

#define fxNewFunctionLength C_NULL
#define fxNewFunctionName C_NULL
#define fxCaptureErrorStack captureErrorStack

#include "xsDefaults.c"
