/**
 * `holdfast/encryption` in a Moddable project: The storage hooks that encrypt.
 */
export * from 'holdfast/hal/encryption'
