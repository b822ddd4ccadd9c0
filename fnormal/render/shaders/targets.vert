#version 330 core
// Rigid poses only, so the mesh matrix turns normals too.
layout(location = 0) in vec3 position;
layout(location = NORMAL_LOC) in vec3 normal;
#ifdef TANGENT_LOC
layout(location = TANGENT_LOC) in vec4 tangent;
out vec4 mesh_tangent;
#endif
#ifdef TEXCOORD_0_LOC
layout(location = TEXCOORD_0_LOC) in vec2 texcoord;
out vec2 uv;
#endif
#ifdef COLOR_0_LOC
layout(location = COLOR_0_LOC) in vec4 vertex_albedo;
out vec3 albedo_linear;
#endif
uniform mat4 M;
uniform mat4 V;
uniform mat4 P;
out vec3 mesh_normal;
out vec3 place;

void main() {
    vec4 world = M * vec4(position, 1.0);
    gl_Position = P * V * world;
    place = world.xyz;
    mesh_normal = normal;
#ifdef TANGENT_LOC
    mesh_tangent = tangent;
#endif
#ifdef TEXCOORD_0_LOC
    uv = texcoord;
#endif
#ifdef COLOR_0_LOC
    albedo_linear = vertex_albedo.rgb;
#endif
}
