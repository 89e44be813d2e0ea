/**
 * `holdfast/ecma419` in a Moddable project: the MQTT Client Class Pattern, with the platform in it.
 */
export * from 'holdfast/hal/moddable/ecma419'
export { default } from 'holdfast/hal/moddable/ecma419'
