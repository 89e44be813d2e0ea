/**
 * Turns a minified script into what Espruino itself makes of functions under its flag
 * `pretokenise`: reserved words and operators are single bytes, strings and small numbers stand
 * raw. It takes less flash, and nothing is looked up in a list of words when it runs. The result is
 * bytes, one per character.
 * The numbers are those of src/jslex.h, which says that they never change. Knows nothing of names.
 */
import ts from 'typescript'

const FIRST_OPERATOR = 138
const OPERATORS =
  '== === != !== <= << <<= >= >> >>> >>= >>>= += -= ++ -- *= /= %= &= && |= || ^= =>'.split(' ')
const WORDS = (
  'if else do while for break continue function return var let const this throw try catch ' +
  'finally true false null undefined new in instanceof switch case default delete typeof void ' +
  'debugger class extends super static of'
).split(' ')
const TOKENS = new Map(
  [...OPERATORS, ...WORDS].map((word, index) => [
    word,
    String.fromCharCode(FIRST_OPERATOR + index),
  ]),
)
/** Ten numbers are left free behind the words. */
const FIRST_SECOND = FIRST_OPERATOR + OPERATORS.length + WORDS.length - 1 + 10
TOKENS.set('??', String.fromCharCode(FIRST_SECOND))
const RAW_STRING8 = String.fromCharCode(FIRST_SECOND + 1)
const RAW_STRING16 = String.fromCharCode(FIRST_SECOND + 2)
const RAW_INT0 = String.fromCharCode(FIRST_SECOND + 3)
const RAW_INT8 = String.fromCharCode(FIRST_SECOND + 4)
const RAW_INT16 = String.fromCharCode(FIRST_SECOND + 5)

function encodeString(text: string, literal: string): string {
  const isBytes = [...text].every((letter) => letter.charCodeAt(0) < 256)
  // A string of no length cannot be stored raw; one beyond bytes stays as it is written.
  if (text === '' || !isBytes) return literal
  const low = String.fromCharCode(text.length & 255)
  if (text.length < 256) return RAW_STRING8 + low + text
  return RAW_STRING16 + low + String.fromCharCode(text.length >> 8) + text
}

function encodeNumber(literal: string): string {
  if (!/^(0|[1-9]\d*)$/.test(literal)) return literal
  const value = Number(literal)
  if (value === 0) return RAW_INT0
  if (value < 128) return RAW_INT8 + String.fromCharCode(value)
  if (value >= 32768) return literal
  return RAW_INT16 + String.fromCharCode(value & 255) + String.fromCharCode(value >> 8)
}

/** The tokens of a script in order, as the parser has them: it tells `/` from a pattern. */
function tokensOf(text: string): ts.Node[] {
  const tree = ts.createSourceFile('script.js', text, ts.ScriptTarget.ES2022, true)
  const tokens: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    const children = node.getChildren(tree)
    if (children.length > 0) children.forEach(visit)
    else if (node.end > node.getStart(tree)) tokens.push(node)
  }
  visit(tree)
  return tokens
}

/** How many tokens a script has: no file that has a byte for each can be smaller. */
export function tokenCount(text: string): number {
  return tokensOf(text).length
}

export function pretokenise(text: string): string {
  let result = ''
  let last = ''
  for (const token of tokensOf(text)) {
    const literal = token.getText()
    let part = literal
    if (ts.isStringLiteral(token) || ts.isNoSubstitutionTemplateLiteral(token)) {
      part = encodeString(token.text, literal)
    } else if (ts.isNumericLiteral(token)) {
      part = encodeNumber(literal)
    } else if (last !== '.') {
      part = TOKENS.get(literal) ?? literal
    }
    const isWord = /^[\w$]/.test(part)
    if (isWord && /[\w$]$/.test(last) && !isRaw(last)) result += ' '
    // `1 - -1` and `a + +b` are not `--` and `++`.
    else if ((part === '-' || part === '+') && last === part) result += ' '
    else if (token.kind === ts.SyntaxKind.RegularExpressionLiteral && last === '/') result += ' '
    result += part
    last = part
  }
  return result
}

/** A raw string or number ends where its length says, whatever its last byte looks like. */
function isRaw(part: string): boolean {
  return part.charCodeAt(0) >= FIRST_SECOND
}
