// The page that `fnormal enhance --html` writes: orbit, a light to drag, coarse / paper / displaced, clay / photo / normals.
import {
  AmbientLight, BufferAttribute, BufferGeometry, Color, DirectionalLight, DoubleSide, Mesh, MeshStandardMaterial,
  OrthographicCamera, Scene, ShaderMaterial, SRGBColorSpace, TextureLoader, Vector3, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";

const data = JSON.parse(document.getElementById("face-data").textContent);

function decode(text, Kind) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}

// normals travel as 16-bit integers, positions as 32-bit floats
const index = new BufferAttribute(decode(data.faces, Uint32Array), 1);
const uv = new BufferAttribute(decode(data.uv, Float32Array), 2);
function shape(positions, normals) {
  const geometry = new BufferGeometry();
  geometry.setIndex(index);
  geometry.setAttribute("position", positions);
  geometry.setAttribute("normal", normals);
  geometry.setAttribute("uv", uv);
  return geometry;
}
const points = {}, normals = {};
for (const name of ["before", "after"]) points[name] = new BufferAttribute(decode(data[name], Float32Array), 3);
for (const name of ["coarse", "paper", "displaced"])
  normals[name] = new BufferAttribute(decode(data.normals[name], Int16Array), 3, true);
const shapes = {
  coarse: shape(points.before, normals.coarse),
  paper: shape(points.before, normals.paper),
  displaced: shape(points.after, normals.displaced),
};

const texture = new TextureLoader().load(data.photo, () => draw());
texture.colorSpace = SRGBColorSpace;
const looks = {
  clay: new MeshStandardMaterial({ color: new Color(0.62, 0.58, 0.55), roughness: 0.65, side: DoubleSide }),
  photo: new MeshStandardMaterial({ map: texture, roughness: 0.7, side: DoubleSide }),
  normals: new ShaderMaterial({
    side: DoubleSide,
    vertexShader: "varying vec3 n; void main() { n = normal; gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0); }",
    fragmentShader: "varying vec3 n; void main() { gl_FragColor = vec4(0.5 * normalize(n) + 0.5, 1.0); }",
  }),
};

const canvas = document.getElementById("view");
const renderer = new WebGLRenderer({ canvas, antialias: true, preserveDrawingBuffer: true });
renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
const scene = new Scene();
scene.background = new Color(0x22262b);
const camera = new OrthographicCamera();
const middle = new Vector3(...data.middle), size = data.size;
camera.position.copy(middle).add(new Vector3(0, 0, 1));
camera.near = 0.01;
camera.far = 3;
const controls = new OrbitControls(camera, canvas);
controls.target.copy(middle);
controls.addEventListener("change", draw);
const lamp = new DirectionalLight(0xffffff, 2.6);
const fill = new DirectionalLight(0xffffff, 0.35);  // what the lamp leaves dark keeps its form
scene.add(lamp, lamp.target, fill, fill.target, new AmbientLight(0xffffff, 0.2));
lamp.target.position.copy(middle);
fill.target.position.copy(middle);
const mesh = new Mesh(shapes.displaced, looks.clay);
scene.add(mesh);

const state = { shape: "displaced", look: "clay", light: [-0.55, 0.45] };

function draw() {
  const [x, y] = state.light;
  const z = Math.sqrt(Math.max(0.05, 1 - x * x - y * y));
  // the lamp belongs to the viewer: it stays where it was set while the head turns
  const toward = new Vector3(x, y, z).applyQuaternion(camera.quaternion);
  lamp.position.copy(middle).add(toward);
  fill.position.copy(middle).add(new Vector3(-x, -y, z).applyQuaternion(camera.quaternion));
  mesh.geometry = shapes[state.shape];
  mesh.material = looks[state.look];
  renderer.render(scene, camera);
}

function fit() {
  const width = window.innerWidth, height = window.innerHeight;
  renderer.setSize(width, height, false);
  // the face fills what the buttons leave free
  const free = Math.max(0.4 * height, document.getElementById("panel").getBoundingClientRect().top);
  const perPixel = (1.04 * size) / Math.min(free, width);
  camera.top = 0.5 * perPixel * free; camera.bottom = camera.top - perPixel * height;
  camera.right = 0.5 * perPixel * width; camera.left = -camera.right;
  camera.updateProjectionMatrix();
  draw();
}
window.addEventListener("resize", fit);

for (const group of ["shape", "look"])
  for (const button of document.querySelectorAll(`[data-${group}]`))
    button.addEventListener("click", () => choose(group, button.dataset[group]));

function choose(group, value) {
  state[group] = value;
  for (const button of document.querySelectorAll(`[data-${group}]`))
    button.setAttribute("aria-pressed", String(button.dataset[group] === value));
  draw();
}

const pad = document.getElementById("lamp"), knob = document.getElementById("knob");
function aim(x, y) {
  const length = Math.max(1, Math.hypot(x, y) / 0.97);
  state.light = [x / length, y / length];
  knob.style.left = `${50 + 50 * state.light[0]}%`;
  knob.style.top = `${50 - 50 * state.light[1]}%`;
  draw();
}
function follow(event) {
  const box = pad.getBoundingClientRect();
  aim(((event.clientX - box.left) / box.width) * 2 - 1, 1 - ((event.clientY - box.top) / box.height) * 2);
}
pad.addEventListener("pointerdown", (event) => { pad.setPointerCapture(event.pointerId); follow(event); });
pad.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
pad.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
  if (!step) return;
  event.preventDefault();
  aim(state.light[0] + step[0], state.light[1] + step[1]);
});
// a second button of the mouse, or two fingers, are OrbitControls' own: pan and zoom
choose("shape", state.shape);
choose("look", state.look);
aim(...state.light);
fit();
window.fnormalViewer = { state, choose, aim, camera, controls, draw };
document.body.dataset.ready = "yes";
