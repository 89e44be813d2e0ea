/**
 * `holdfast/storage` in a Moddable project: The store on flash.
 */
export * from 'holdfast/src/storage'
