/*
 * Arguments of host functions, without a slot or a chunk: bytes straight out of a typed array,
 * whole numbers, text. A wrong argument throws. Knows no device.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "device.h"

/* The view of a typed array with elements of `elementSize` bytes, or a TypeError. */
static txU1* viewOf(txMachine* the, txSlot* slot, int elementSize, int toWrite, txSize* size)
{
	txSlot* array;
	txSlot* view;
	txSlot* buffer;
	if (slot->kind != XS_REFERENCE_KIND)
		mxTypeError("not a typed array");
	array = slot->value.reference->next;
	if (!array || (array->kind != XS_TYPED_ARRAY_KIND))
		mxTypeError("not a typed array");
	if (array->value.typedArray.dispatch->size != elementSize)
		mxTypeError("typed array of another element size");
	view = array->next;
	buffer = view->next->value.reference->next;
	/* One that was made while the bundle was preloaded is ROM. */
	if (toWrite && (buffer->flag & XS_DONT_SET_FLAG))
		mxTypeError("read-only buffer");
	*size = fxGetDataViewSize(the, view, view->next);
	return (txU1*)buffer->value.arrayBuffer.address + view->value.dataView.offset;
}

static txU1* rangeOf(txMachine* the, int index, txNumber at, txNumber length, int toWrite)
{
	txSize size;
	txU1* bytes;
	if (mxArgc <= index)
		mxTypeError("bytes are missing");
	bytes = viewOf(the, mxArgv(index), 1, toWrite, &size);
	if (at + length > size)
		mxRangeError("range at %.0f for %.0f bytes outside a buffer of %d", at, length, (int)size);
	return bytes + (size_t)at;
}

/* The bytes `at` to `at + length` of argument `index`, a Uint8Array. Valid until XS allocates. */
txU1* bytesArgument(txMachine* the, int index, txNumber at, txNumber length)
{
	return rangeOf(the, index, at, length, 0);
}

/* The same, to be written to. */
txU1* roomArgument(txMachine* the, int index, txNumber at, txNumber length)
{
	return rangeOf(the, index, at, length, 1);
}

/* The numbers of argument `index`, a Float64Array of at least `count`. */
txNumber* doublesArgument(txMachine* the, int index, int count)
{
	txSize size;
	txU1* bytes;
	if (mxArgc <= index)
		mxTypeError("a Float64Array is missing");
	bytes = viewOf(the, mxArgv(index), sizeof(txNumber), 1, &size);
	if (size < (txSize)(count * sizeof(txNumber)))
		mxRangeError("a Float64Array of at least %d numbers is needed", count);
	return (txNumber*)bytes;
}

/* A whole number from 0 to 2^32 - 1. Written so that NaN is refused too. */
txNumber wholeArgument(txMachine* the, int index)
{
	txNumber value = -1;
	if (mxArgc > index) {
		txSlot* slot = mxArgv(index);
		value = (slot->kind == XS_INTEGER_KIND) ? slot->value.integer : fxToNumber(the, slot);
	}
	if (!((value >= 0) && (value <= 4294967295.0) && (c_trunc(value) == value)))
		mxRangeError("argument %d is not a whole number from 0 on", index + 1);
	return value;
}

/* Text as UTF-8; '' when the argument is missing. Valid until XS allocates. */
const char* textArgument(txMachine* the, int index)
{
	return (mxArgc > index) ? fxToString(the, mxArgv(index)) : "";
}

void returnNumber(txMachine* the, txNumber value)
{
	if ((value >= -2147483647.0) && (value <= 2147483647.0) && (c_trunc(value) == value)) {
		mxResult->kind = XS_INTEGER_KIND;
		mxResult->value.integer = (txInteger)value;
	}
	else {
		mxResult->kind = XS_NUMBER_KIND;
		mxResult->value.number = value;
	}
}
