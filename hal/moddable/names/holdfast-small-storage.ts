/**
 * `holdfast/small/storage` in a Moddable project: the small client's store on flash.
 */
export * from 'holdfast/src/small/storage'
