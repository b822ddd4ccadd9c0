// What three.js makes of a GLB: its shading normals through the GLB's own camera, as a PNG in the page's title.
// Bundled by tests/test_three.py; the GLB comes as base64 in window.GLB.
import {
  Color, LinearSRGBColorSpace, Mesh, MeshNormalMaterial, Scene, WebGLRenderer,
} from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

const bytes = Uint8Array.from(atob(window.GLB), (c) => c.charCodeAt(0));
new GLTFLoader().parse(bytes.buffer, "", (gltf) => {
  const canvas = document.createElement("canvas");
  const renderer = new WebGLRenderer({ canvas, antialias: false, preserveDrawingBuffer: true });
  renderer.outputColorSpace = LinearSRGBColorSpace;
  renderer.setSize(window.SIZE, window.SIZE, false);
  const scene = new Scene();
  scene.background = new Color(0, 0, 0);
  scene.add(gltf.scene);
  gltf.scene.traverse((part) => {
    if (part instanceof Mesh) {
      const { normalMap, normalScale, side } = part.material;
      part.material = new MeshNormalMaterial({ normalMap, normalScale, side });
    }
  });
  gltf.scene.updateMatrixWorld(true);
  renderer.render(scene, gltf.cameras[0]);
  const image = document.createElement("div");
  image.id = "shaded";
  image.textContent = canvas.toDataURL("image/png");
  document.body.append(image);
}, (error) => { document.body.textContent = `failed: ${error.message}`; });
