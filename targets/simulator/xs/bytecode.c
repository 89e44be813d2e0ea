/*
 * Bundles as bytecode in ROM: parsed once, its names interned in the ROM machine, its functions
 * and string literals executed in place as on a device, where the linker does the same. Beside it a
 * table from bytecode to source lines, for the stacks of errors. Knows nothing of what it runs.
 *
 * SPDX-License-Identifier: MIT OR LGPL-3.0-or-later
 */
#include "device.h"
#include "xsScript.h"

/* Of xsRun.c, which declares it for itself alone. */
extern void fxRemapIDs(txMachine* the, txByte* code, txSize size, txID* ids);

/* The preloaded bundle, if any, and the one that the clone runs. */
#define BYTECODE_COUNT 2
static Bytecode bytecodes[BYTECODE_COUNT];
static int bytecodeCount;

static void reportSyntax(void* console, txString path, txInteger line, txString format,
	c_va_list arguments)
{
	fprintf(stderr, "xs-device: SyntaxError at %s:%d: ", path ? path : "?", (int)line);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

static txScript* parseBundle(txMachine* rom, const char* path, const char* name)
{
	txParser state;
	txParser* parser = &state;
	txParserJump jump;
	txScript* volatile script = C_NULL;
	FILE* file = fopen(path, "rb");
	if (!file) {
		fprintf(stderr, "xs-device: cannot read %s: %s\n", path, strerror(errno));
		hostExit(EXIT_USAGE);
	}
	fxInitializeParser(parser, rom, rom->parserBufferSize, rom->parserTableModulo);
	parser->reportError = reportSyntax;
	parser->firstJump = &jump;
	if (c_setjmp(jump.jmp_buf) == 0) {
		parser->path = fxNewParserSymbol(parser, (txString)name);
		fxParserTree(parser, file, (txGetter)fgetc, mxProgramFlag | mxDebugFlag, C_NULL);
		fxParserHoist(parser);
		fxParserBind(parser);
		script = fxParserCode(parser);
	}
	fxTerminateParser(parser);
	fclose(file);
	return script;
}

/* Names in the bytecode are indexes into the symbols of the script; makes them keys of the ROM. */
static void internNames(txMachine* rom, txScript* script)
{
	txByte* at = script->symbolsBuffer;
	txID count;
	txID index;
	txID* ids;
	mxDecodeID(at, count);
	ids = malloc(count * sizeof(txID));
	ids[0] = XS_NO_ID;
	for (index = 1; index < count; index++) {
		ids[index] = fxNewNameC(rom, (txString)at);
		at += strlen((char*)at) + 1;
	}
	fxRemapIDs(rom, script->codeBuffer, script->codeSize, ids);
	free(ids);
}

static void addLine(Bytecode* to, txByte* at, txInteger line)
{
	if (to->lineCount == to->lineCapacity) {
		to->lineCapacity = to->lineCapacity ? 2 * to->lineCapacity : 1024;
		to->lines = realloc(to->lines, to->lineCapacity * sizeof(LineEntry));
	}
	to->lines[to->lineCount].at = (txSize)(at - to->code);
	to->lines[to->lineCount].line = line;
	to->lineCount++;
}

/* Bytes of the operation at `p`, and through `inner` those of a function's code behind it. */
static txSize operationSize(txByte* p, txSize* inner)
{
	txS1 size = gxCodeSizes[*(txU1*)p];
	txByte* q = p + 1;
	txU2 two;
	txS4 four;
	*inner = 0;
	switch (*(txU1*)p) {
	case XS_CODE_CODE_1:
		*inner = *(txS1*)q;
		break;
	case XS_CODE_CODE_2:
		mxDecode2(q, two);
		*inner = (txS2)two;
		break;
	case XS_CODE_CODE_4:
		mxDecode4(q, four);
		*inner = four;
		break;
	default:
		break;
	}
	if (size > 0)
		return size;
	if (size == 0)
		return 1 + sizeof(txID);
	q = p + 1;
	if (size == -1)
		return 2 + *(txU1*)q;
	if (size == -2) {
		mxDecode2(q, two);
		return 3 + two;
	}
	mxDecode4(q, four);
	return 5 + four;
}

/*
 * Walks one function's code: notes its lines, and turns operations that would copy a nested
 * function or a string into the heap to those that use it in place. Both have the same length.
 */
static void walkCode(Bytecode* of, txByte* p, txByte* limit, txInteger line)
{
	while (p < limit) {
		txU1* code = (txU1*)p;
		txByte* operand = p + 1;
		txU2 number;
		txSize inner;
		txSize size = operationSize(p, &inner);
		switch (*code) {
		case XS_CODE_LINE:
			mxDecode2(operand, number);
			line = number;
			addLine(of, p, line);
			break;
		case XS_CODE_CODE_1: *code = XS_CODE_CODE_ARCHIVE_1; break;
		case XS_CODE_CODE_2: *code = XS_CODE_CODE_ARCHIVE_2; break;
		case XS_CODE_CODE_4: *code = XS_CODE_CODE_ARCHIVE_4; break;
		case XS_CODE_STRING_1: *code = XS_CODE_STRING_ARCHIVE_1; break;
		case XS_CODE_STRING_2: *code = XS_CODE_STRING_ARCHIVE_2; break;
		case XS_CODE_STRING_4: *code = XS_CODE_STRING_ARCHIVE_4; break;
		default: break;
		}
		/* What a board does without, see bytecodeSize. */
		if ((*code == XS_CODE_LINE) || (*code == XS_CODE_FILE) || (*code == XS_CODE_PROFILE))
			of->hostSize += size;
		else if (gxCodeSizes[*code] == 0)
			of->hostSize += sizeof(txID) - 2;
		p += size;
		if (inner > 0) {
			walkCode(of, p, p + inner, line);
			p += inner;
			addLine(of, p, line);
		}
	}
}

Bytecode* bytecodeLoad(txMachine* rom, const char* path)
{
	const char* slash = strrchr(path, '/');
	const char* name = slash ? slash + 1 : path;
	txScript* script = parseBundle(rom, path, name);
	Bytecode* loaded = &bytecodes[bytecodeCount++];
	if (!script)
		hostExit(1);
	internNames(rom, script);
	loaded->code = script->codeBuffer;
	loaded->size = script->codeSize;
	loaded->fileID = fxNewNameC(rom, (txString)name);
	walkCode(loaded, loaded->code, loaded->code + loaded->size, 0);
	return loaded;
}

/*
 * As in the flash of a board: without the lines and files of the debugger, which a release build
 * leaves out, and with names of two bytes, where those of a 64-bit host have four.
 */
txNumber bytecodeSize(void)
{
	txNumber size = 0;
	int i;
	for (i = 0; i < bytecodeCount; i++)
		size += bytecodes[i].size - bytecodes[i].hostSize;
	return size;
}

/* Source line and file of the operation that ends at or holds `code`; line 0 when not known. */
static txInteger lineAt(txByte* code, txID* fileID)
{
	Bytecode* from = bytecodes;
	txSize low = 0;
	txSize high;
	txSize at;
	while ((from < bytecodes + bytecodeCount)
			&& ((code < from->code) || (code > from->code + from->size)))
		from++;
	if (from == bytecodes + bytecodeCount)
		return 0;
	*fileID = from->fileID;
	at = (txSize)(code - from->code);
	high = from->lineCount;
	/* lines[low - 1].at < at <= lines[high].at: `code` may be a return address. */
	while (low < high) {
		txSize middle = (low + high) / 2;
		if (from->lines[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? from->lines[low - 1].line : 0;
}

/* What runs now, a function a line, innermost first: for a report when nothing can be allocated. */
void printFrames(txMachine* the, int most)
{
	txSlot* frame = the->frame;
	txByte* code = the->code;
	for (; frame && frame->next && (most > 0); code = frame->value.frame.code, frame = frame->next) {
		txSlot* function = frame + 3;
		txID fileID = XS_NO_ID;
		txInteger line = code ? lineAt(code, &fileID) : 0;
		if ((function->kind != XS_REFERENCE_KIND) || !line)
			continue;
		fprintf(stderr, " at %s:%d\n", fxGetKeyName(the, fileID), (int)line);
		most--;
	}
}

/*
 * Called by XS for a new Error. Makes the list that the getter of `stack` prints: one slot a
 * function, as XS itself does. Where a frame stands is in the frame that it called.
 */
void captureErrorStack(txMachine* the, txSlot* internal, txSlot* from)
{
	txSlot* frame = the->frame;
	txByte* code = the->code;
	txSlot* slot = internal->value.reference = fxNewSlot(the);
	slot->kind = XS_INSTANCE_KIND;
	slot->value.instance.garbage = C_NULL;
	slot->value.instance.prototype = C_NULL;
	while (frame && (frame != from)) {
		code = frame->value.frame.code;
		frame = frame->next;
	}
	for (; frame && frame->next; code = frame->value.frame.code, frame = frame->next) {
		txSlot* function = frame + 3;
		txID fileID = XS_NO_ID;
		txInteger line = code ? lineAt(code, &fileID) : 0;
		txSlot* key;
		if ((function->kind != XS_REFERENCE_KIND) || !mxIsFunction(function->value.reference))
			continue;
		slot = slot->next = fxNewSlot(the);
		slot->flag = XS_GET_ONLY;
		slot->kind = XS_KEY_X_KIND;
		slot->ID = fileID;
		slot->value.key.string = C_NULL;
		slot->value.key.sum = (txU4)line;
		key = fxGetKey(the, mxFunctionInstanceCode(function->value.reference)->ID);
		if (key && (key->kind == XS_KEY_X_KIND))
			slot->value.key.string = key->value.key.string;
	}
}
