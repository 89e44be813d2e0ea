/**
 * `holdfast/encryption` in a Moddable project: the storage hooks that encrypt.
 */
export * from 'holdfast/hal/encryption'
