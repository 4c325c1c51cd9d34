(** The extended model with one ReLU, W2 relu(W1 H), under the assumption of its source
    (Tirer and Bruna 2022): W1 H and relu(W1 H) have the same nuclear norm.

    The nuclear norm enters through factorisations: |A|_* <= t when A = V1 V2 with
    (|V1|^2 + |V2|^2)/2 <= t, with inner dimension d1, the model's own.
    If relu(W1 H) has nuclear norm at most that of W1 H, a factorisation of it costs no
    more than W1 and H do, so the point is no better than a linear one. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced Mse ExtendedLinear.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Relu.
Variables (R : rcfType) (K N n d2 d1 : nat) (lab : 'I_N -> 'I_K) (l3 l2 l1 : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (l30 : 0 < l3) (l20 : 0 < l2) (l10 : 0 < l1).
Local Notation Y := (onehot R lab).
Local Notation linear := (extended lab l3 l2 l1).

(** max(x, 0), entry by entry *)
Definition relu (A : 'M[R]_(d2, N)) : 'M[R]_(d2, N) := map_mx (fun x => Num.max x 0) A.
Definition extended_relu (W2 : 'M[R]_(K, d2)) (W1 : 'M[R]_(d2, d1)) (H : 'M[R]_(d1, N)) : R :=
  mse Y (W2 *m relu (W1 *m H))
  + l3 / 2%:R * sqF W2 + l2 / 2%:R * sqF W1 + l1 / 2%:R * sqF H.

(** |A|_* <= t *)
Definition nuclear_le (A : 'M[R]_(d2, N)) (t : R) : Prop :=
  exists (V1 : 'M_(d2, d1)) (V2 : 'M_(d1, N)), A = V1 *m V2 /\ sqF V1 + sqF V2 <= 2%:R * t.
Definition same_nuclear_norm (A B : 'M[R]_(d2, N)) : Prop :=
  forall t, nuclear_le A t <-> nuclear_le B t.

(** Unequal weights are the case of equal weights after scaling. *)
Lemma cheap_factorisation A B (W1 : 'M_(d2, d1)) (H : 'M_(d1, N)) :
  A = W1 *m H -> (forall t, nuclear_le A t -> nuclear_le B t) ->
  exists (V1 : 'M_(d2, d1)) (V2 : 'M_(d1, N)), B = V1 *m V2 /\
    l2 / 2%:R * sqF V1 + l1 / 2%:R * sqF V2 <= l2 / 2%:R * sqF W1 + l1 / 2%:R * sqF H.
Proof.
move=> eA imp; pose u := Num.sqrt (Num.sqrt (l2 / l1)).
have q0 : 0 < l2 / l1 by exact: divr_gt0.
have u0 : 0 < u by rewrite !sqrtr_gt0.
have uN : u != 0 by rewrite gt_eqF.
have l1N : l1 != 0 by rewrite gt_eqF.
have u4 : l2 = l1 * (u ^+ 2) ^+ 2.
  rewrite /u sqr_sqrtr ?sqrtr_ge0 // sqr_sqrtr; last exact: ltW.
  by rewrite mulrC mulfVK.
have [|V1 [V2 [eB le]]] := imp ((sqF (u *: W1) + sqF (u^-1 *: H)) / 2%:R).
  exists (u *: W1), (u^-1 *: H); split.
    by rewrite -scalemxAl -scalemxAr scalerA mulfV // scale1r.
  by rewrite mulrC mulfVK ?pnatr_eq0.
exists (u^-1 *: V1), (u *: V2); split.
  by rewrite -scalemxAl -scalemxAr scalerA mulVf // scale1r.
have k0 : 0 <= l1 * u ^+ 2 / 2%:R by rewrite divr_ge0 ?ler0n // mulr_ge0 ?exprn_ge0 // ltW.
have := ler_wpmul2l k0 le; rewrite !sqFZ [2%:R * _]mulrC mulfVK ?pnatr_eq0 // u4.
by congr (_ <= _); move: (sqF _) (sqF _) => p r; field.
Qed.

Section Conditional.
Variables (x : R) (W2 : 'M[R]_(K, d2)) (W1 : 'M[R]_(d2, d1)) (H : 'M[R]_(d1, N)).
Hypotheses (x_ge : 2%:R^-1 <= x) (x_lt : x < 1).
Hypothesis x_root : x * (1 - x) ^+ 3 = extended_q K n l3 l2 l1.
Hypothesis nuclear : same_nuclear_norm (W1 *m H) (relu (W1 *m H)).

Let reduction : exists (V1 : 'M_(d2, d1)) (V2 : 'M_(d1, N)), relu (W1 *m H) = V1 *m V2 /\
  linear W2 V1 V2 <= extended_relu W2 W1 H.
Proof.
have [V1 [V2 [e le]]] := cheap_factorisation (erefl (W1 *m H)) (fun t => (nuclear t).1).
exists V1, V2; split=> //.
by rewrite /extended /extended_relu e mulmxA -!addrA !ler_add2l.
Qed.

(** Under the assumption the linear model's value is a lower bound ... *)
Theorem extended_relu_lower : extended_value x <= extended_relu W2 W1 H.
Proof.
have [V1 [V2 [_ le]]] := reduction; apply: le_trans le.
exact: (extended_linear_lower K0 n0 bal l30 l20 l10 W2 V1 V2 x_ge x_lt x_root).
Qed.

(** ... and where it is attained, below the threshold, relu(W1 H) is an orthogonal
    frame: equal within classes, Gram matrix a multiple of I, W2 aligned with it. *)
Theorem extended_relu_frame : 2%:R^-1 < x -> extended_relu W2 W1 H = extended_value x ->
  exists M : 'M[R]_(d2, K),
    [/\ relu (W1 *m H) = M *m Y,
        M^T *m M = ((x * (1 - x) / K%:R) ^+ 2 / (l1 * l2 * n%:R))%:M
      & W2 = (x * (l1 * l2 * n%:R) / (x * (1 - x) / K%:R) ^+ 2) *: M^T].
Proof.
move=> x2 eq; have [V1 [V2 [e le]]] := reduction.
have lv : linear W2 V1 V2 = extended_value x.
  apply/eqP; rewrite eq_le -{1}eq le /=.
  exact: (extended_linear_lower K0 n0 bal l30 l20 l10 W2 V1 V2 x_ge x_lt x_root).
have [e1 _ e3 _ e5] := (extended_linear_iff K0 n0 bal l30 l20 l10 W2 V1 V2 x2 x_lt x_root).1 lv.
exists (V1 *m class_means lab n V2); split=> //.
by rewrite e -mulmxA -e1.
Qed.
End Conditional.

(** relu fixes nonnegative matrices, and then the assumption holds by itself. *)
Lemma relu_id (A : 'M[R]_(d2, N)) : (forall i j, 0 <= A i j) -> relu A = A.
Proof. by move=> h; apply/matrixP => i j; rewrite mxE max_l. Qed.

(** The value is attained, at a point where the assumption holds. *)
Theorem extended_relu_attained x : (K <= d1)%N -> (K <= d2)%N ->
  2%:R^-1 <= x -> x < 1 -> x * (1 - x) ^+ 3 = extended_q K n l3 l2 l1 ->
  exists W2 W1 H, extended_relu W2 W1 H = extended_value x /\
    same_nuclear_norm (W1 *m H) (relu (W1 *m H)).
Proof.
move=> Kd1 Kd2 x1 x2 e; have x0 : 0 < x by apply: lt_le_trans x1; rewrite invr_gt0 ltr0n.
have nR : 0 < n%:R :> R by rewrite ltr0n.
have KR : 0 < K%:R :> R by rewrite ltr0n.
have nN : n%:R != 0 :> R by rewrite gt_eqF.
have l1N : l1 != 0 by rewrite gt_eqF.
pose th := x * (1 - x) / K%:R; have th0 : 0 < th by rewrite !mulr_gt0 ?invr_gt0 ?subr_gt0.
have thN : th != 0 by rewrite gt_eqF.
have frame d' (r : R) : (K <= d')%N -> 0 <= r ->
    (Num.sqrt r *: pid_mx K : 'M[R]_(d', K))^T *m (Num.sqrt r *: pid_mx K) = r%:M.
  move=> Kd' r0; rewrite trmxZ tr_pid_mx -scalemxAl -scalemxAr scalerA mul_pid_mx minnn.
  by rewrite (minn_idPr Kd') pid_mx_1 -expr2 sqr_sqrtr // scalemx1.
have a0 : 0 <= th / (l1 * n%:R) by exact: ltW (divr_gt0 th0 (mulr_gt0 l10 nR)).
have b0 : 0 <= th ^+ 2 / (l1 * l2 * n%:R).
  exact: ltW (divr_gt0 (exprn_gt0 2 th0) (mulr_gt0 (mulr_gt0 l10 l20) nR)).
have HbE := frame d1 _ Kd1 a0; set Hb := Num.sqrt _ *: _ in HbE.
have VE := frame d2 _ Kd2 b0; set V := Num.sqrt _ *: _ in VE.
pose W1 : 'M[R]_(d2, d1) := (n%:R * l1 / th) *: (V *m Hb^T).
have W1H : W1 *m Hb = V.
  rewrite /W1 -scalemxAl -mulmxA HbE mul_mx_scalar scalerA -[RHS]scale1r; congr (_ *: _).
  by field; rewrite thN nN l1N.
have c : extended_collapse n lab l2 l1 x ((x * (l1 * l2 * n%:R) / th ^+ 2) *: V^T) W1 (Hb *m Y).
  by rewrite /extended_collapse (class_means_onehot n0 bal) W1H.
have fix_ : relu (W1 *m (Hb *m Y)) = W1 *m (Hb *m Y).
  apply: relu_id => i j; rewrite mulmxA W1H mulmx_onehot mxE mulr_ge0 ?sqrtr_ge0 //.
  by rewrite mxE ler0n.
exists ((x * (l1 * l2 * n%:R) / th ^+ 2) *: V^T), W1, (Hb *m Y); split; last by rewrite fix_.
by have := extended_collapse_value K0 n0 bal l20 l10 x1 x2 e c; rewrite /extended /extended_relu fix_ !mulmxA.
Qed.
End Relu.
