/** Mount: opens the storage for a client, or throws an Error that says what to do. */
import type { Settings } from './options.js'
import { ERR_IDENTITY, ERR_LANES, ERR_TOO_LARGE, OK, statusText } from './status.js'
import { SessionState } from './store/session-state.js'

const REMEDY = '; use those, or another partition, or give the messages up with storage.format()'

/** The session state of the mounted storage; of a client without one, its own. */
export function mountState(settings: Settings): SessionState {
  const storage = settings.storage
  const lanes = settings.lanes
  if (storage === null) {
    const state = new SessionState()
    state.setCounts(lanes.length, settings.brokers.length)
    return state
  }
  const status = storage.mount(settings.clientId, settings.brokerUrl, lanes)
  if (status === OK) return storage.state
  let trouble = 'cannot be used: ' + statusText(status)
  if (status === ERR_LANES) {
    trouble = 'was made for other lanes (name:sectors): "' + storage.layout + '"' + REMEDY
  } else if (status === ERR_IDENTITY) {
    trouble = 'holds the messages of client ' + storage.identity
    trouble += ', not of "' + settings.clientId + '" at ' + settings.brokerUrl + REMEDY
  }
  if (status === ERR_TOO_LARGE) {
    trouble = 'has no room for what it keeps of ' + lanes.length + ' lanes and the client: '
    trouble += 'use a larger bufferSize or eraseSize, fewer lanes, or shorter names'
  }
  throw new Error('option "storage" ' + trouble)
}
