/**
 * A planted fault: it replaces a method of a class of src and gives it back afterwards. It knows
 * the insides of src by name: when a name changes, `plant` throws and says which.
 */
type Method = (...given: any[]) => any

export interface Fault {
  /** What the client does wrong. */
  readonly name: string
  /** Switches it on; the result switches it off. */
  plant(): () => void
}

/** `wrong` is called in place of the method, with the right one first. */
export function fault(
  name: string,
  owner: { prototype: object },
  method: string,
  wrong: (self: any, right: Method, given: any[]) => any,
): Fault {
  return {
    name,
    plant: () => {
      const methods = owner.prototype as Record<string, Method>
      const right = methods[method]
      if (typeof right !== 'function') throw new Error(`"${name}" needs ${method}, it is gone`)
      methods[method] = function (this: any, ...given: any[]) {
        return wrong(this, right.bind(this), given)
      }
      return () => (methods[method] = right)
    },
  }
}

/** The same for a property that is computed. */
export function faultyGetter(
  name: string,
  owner: { prototype: object },
  property: string,
  wrong: (self: any, right: () => any) => any,
): Fault {
  return {
    name,
    plant: () => {
      const right = Object.getOwnPropertyDescriptor(owner.prototype, property)
      const get = right?.get
      if (!right || !get) throw new Error(`"${name}" needs ${property}, it is gone`)
      Object.defineProperty(owner.prototype, property, {
        configurable: true,
        get(this: any) {
          return wrong(this, get.bind(this))
        },
      })
      return () => Object.defineProperty(owner.prototype, property, right)
    },
  }
}
