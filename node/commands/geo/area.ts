import { degrees, distance, EARTH_RADIUS_M, exactDistance, latitudeDistance, radians } from './distance.ts';
import { type Cell, cellOf, edgesOf, MAX_STEP, neighbour, type Position } from './position.ts';

/** Half of the equator in the projection of the grid, metres. */
const HALF_EQUATOR_M = 20037726.37;
/** A distance that comes so near to a limit, relatively, is reckoned exactly. */
const NEAR = 1e-12;
/** Beyond these latitudes the cells are narrow. */
const NARROW = 66;
const VERY_NARROW = 80;

/** A circle around a centre. */
export interface Circle {
  readonly kind: 'circle';
  readonly centre: Position;
  readonly radiusM: number;
}

/** A box around a centre, its sides along the meridians and parallels. */
export interface Box {
  readonly kind: 'box';
  readonly centre: Position;
  readonly widthM: number;
  readonly heightM: number;
}

export type Area = Circle | Box;

/** Whether a distance is within a limit, metres; `exactly` is asked when the answer hangs on the last bits. */
function isWithin(distanceM: number, limitM: number, exactly: () => number): boolean {
  const isClose = Math.abs(distanceM - limitM) <= limitM * NEAR;
  return (isClose ? exactly() : distanceM) <= limitM;
}

/** The distance of a position from the area's centre when it is within the area, metres; else -1. */
export function distanceWithin(area: Area, position: Position): number {
  const { centre } = area;
  if (area.kind === 'circle') {
    const fromCentre = distance(centre, position);
    return isWithin(fromCentre, area.radiusM, () => exactDistance(centre, position)) ? fromCentre : -1;
  }
  if (latitudeDistance(position.latitude, centre.latitude) > area.heightM / 2) return -1;
  const sameRow = { longitude: centre.longitude, latitude: position.latitude };
  const across = distance(position, sameRow);
  if (!isWithin(across, area.widthM / 2, () => exactDistance(position, sameRow))) return -1;
  return distance(centre, position);
}

/** How fine a grid may be so that a cell and those around it hold a circle of this radius. */
function stepFor(radiusM: number, latitude: number): number {
  if (radiusM === 0) return MAX_STEP;
  let step = -1;
  for (let reach = radiusM; reach < HALF_EQUATOR_M; reach *= 2) step++;
  const fromEquator = Math.abs(latitude);
  if (fromEquator > VERY_NARROW) step -= 2;
  else if (fromEquator > NARROW) step--;
  return Math.min(Math.max(step, 1), MAX_STEP);
}

/** The smallest longitudes and latitudes that hold the area, in degrees. */
function boundsOf(area: Area) {
  const { longitude, latitude } = area.centre;
  const height = area.kind === 'circle' ? area.radiusM : area.heightM / 2;
  const width = area.kind === 'circle' ? area.radiusM : area.widthM / 2;
  const up = degrees(height / EARTH_RADIUS_M);
  // The edge nearer to the pole is the one that reaches over more degrees.
  const edge = latitude < 0 ? latitude - up : latitude + up;
  const aside = degrees(width / EARTH_RADIUS_M / Math.cos(radians(edge)));
  return {
    west: longitude - aside,
    east: longitude + aside,
    south: latitude - up,
    north: latitude + up,
  };
}

function reachOf(area: Area): number {
  return area.kind === 'circle' ? area.radiusM : Math.sqrt((area.widthM / 2) ** 2 + (area.heightM / 2) ** 2);
}

/**
 * The cells that may hold members within the area: the one of the centre and those around it, in the order in which Redis searches them.
 * Very large areas reach around the globe: then the same cell may come again, though never twice in a row.
 */
export function cellsOf(area: Area): Cell[] {
  const bounds = boundsOf(area);
  let step = stepFor(reachOf(area), area.centre.latitude);
  let centre = cellOf(area.centre, step);
  if (step > 1 && reachesBeyond(centre, bounds)) {
    step--;
    centre = cellOf(area.centre, step);
  }
  const own = edgesOf(centre);
  // Bounds that are no numbers, of an endless radius, leave nothing out.
  const above = step < 2 || !(own.north > bounds.north);
  const below = step < 2 || !(own.south < bounds.south);
  const right = step < 2 || !(own.east > bounds.east);
  const left = step < 2 || !(own.west < bounds.west);
  const cells = [centre];
  const add = (isWanted: boolean, columns: number, rows: number) => {
    if (!isWanted) return;
    const cell = neighbour(centre, columns, rows);
    const last = cells[cells.length - 1];
    const isAgain = cells.length > 1 && last.column === cell.column && last.row === cell.row;
    if (!isAgain) cells.push(cell);
  };
  add(above, 0, 1);
  add(below, 0, -1);
  add(right, 1, 0);
  add(left, -1, 0);
  add(above && right, 1, 1);
  add(above && left, -1, 1);
  add(below && right, 1, -1);
  add(below && left, -1, -1);
  return cells;
}

/** Whether the cell and those around it do not hold all of the bounds. */
function reachesBeyond(centre: Cell, bounds: ReturnType<typeof boundsOf>): boolean {
  return (
    edgesOf(neighbour(centre, 0, 1)).north < bounds.north ||
    edgesOf(neighbour(centre, 0, -1)).south > bounds.south ||
    edgesOf(neighbour(centre, 1, 0)).east < bounds.east ||
    edgesOf(neighbour(centre, -1, 0)).west > bounds.west
  );
}
