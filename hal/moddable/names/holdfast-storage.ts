/**
 * `holdfast/storage` in a Moddable project: the store on flash.
 */
export * from 'holdfast/src/storage'
