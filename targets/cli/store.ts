/**
 * A whole store in an image: session and lanes. The one thing that the command line and its tests
 * read.
 */
import { type Geometry, type Image, readImage } from './image.js'
import { type Lane, type LanePlace, readLane } from './lane.js'
import { type SessionFound, readSession } from './session.js'

const SESSION_SECTORS = 2

export interface Store {
  readonly image: Image
  readonly session: SessionFound
  readonly lanes: Lane[]
  readonly isEncrypted: boolean
  /** What does not fit together, in words. */
  readonly problems: string[]
}

/** Reads a store. Throws NoImage with a reason when there is none. */
export function readStore(bytes: Uint8Array, geometry: Geometry = {}): Store {
  const image = readImage(bytes, geometry)
  const session = readSession(image)
  const problems: string[] = []
  const lanes = placesOf(image, session, problems).map((place) => readLane(image, place))
  if (session.kind === 'none') problems.push('no session state is intact: the messages stand alone')
  if (session.kind === 'unreadable') problems.push('session state: ' + session.reason)
  const isEncrypted = session.kind === 'encrypted' || lanes.some((lane) => lane.isEncrypted)
  return { image, session, lanes, isEncrypted, problems }
}

/** Where the lanes lie: as the session store says, or as the sector headers show. */
function placesOf(image: Image, found: SessionFound, problems: string[]): LanePlace[] {
  const total = image.sectors.length
  const session = found.kind === 'read' ? found.session : null
  const regions = image.sectors
    .filter(({ scan }) => scan !== null)
    .map(({ header }) => header.region)
  const highest = Math.max(1, ...regions)
  if (session !== null && session.layout.length > 0) {
    let firstSector = SESSION_SECTORS
    return session.layout.map(({ name, sectorCount }, index) => {
      const place = { index, name, firstSector, sectorCount, mark: session.marks[index] ?? null }
      firstSector += sectorCount
      if (firstSector > total) {
        problems.push(`lane "${name}" ends at sector ${firstSector}, the image has ${total}`)
      }
      return place
    })
  }
  if (highest === 1) {
    const sectorCount = total - SESSION_SECTORS
    const mark = session?.marks[0] ?? null
    return [{ index: 0, name: '', firstSector: SESSION_SECTORS, sectorCount, mark }]
  }
  // Without the names: from the first sector of a region to the first one of the next.
  const places: LanePlace[] = []
  for (let region = 1; region <= highest; region++) {
    const own = image.sectors.filter(
      ({ scan, header }) => scan !== null && header.region === region,
    )
    const next = image.sectors.find(({ scan, header }) => scan !== null && header.region > region)
    const firstSector = region === 1 ? SESSION_SECTORS : (own[0]?.index ?? total)
    const sectorCount = (next?.index ?? total) - firstSector
    places.push({ index: region - 1, name: '', firstSector, sectorCount, mark: null })
  }
  problems.push('the names of the lanes cannot be read; their sectors are told from the headers')
  return places
}
